// The lesson. A step is done when the pictures of the observer show it. The button of the step may have
// done it, or the student with the bar. The sentences are in play.html.

import {byId, setAttribute, setHidden, setText} from './dom.js';
import {on} from './source.js';

let picture = null; // the newest one
const sum = numbers => numbers.reduce((a, b) => a + b, 0);
const ends = () => picture.topic.partitions.map(partition => partition.end);
const group = name => picture.groups.find(group => group.name === name) ?? {members: [], commits: []};
const held = name => group(name).members.map(member => member.partitions.length).sort((a, b) => b - a).join(' ');
const commits = name => group(name).commits.filter(commit => commit.offset >= 0).length;
const read = name => () => ends().every((end, n) => end === Math.max(0, group(name).commits[n]?.offset ?? 0)); // everything
const storing = () => byId('printed').textContent.endsWith('Start Storing');

// A stage has what the button does, and what is seen then.
const send = (count, program, line) => [act => act('send', {count, program, line}), grown => sum(grown) >= count];
const kill = name => [act => act('kill', {group: name}), () => held(name) === ''];
const names = ['simple_consumer', 'from_the_start', 'client60_group', 'consumer_group_1'], [simple, oldest, commit, shared] = names;

// members makes so many members hold so many partitions each. No other group of the lesson keeps its members.
const members = (name, partitions, program, storeTime = '1') => [act => {
	for (const other of names) if (other !== name) for (const _ of group(other).members) act('stop', {group: other});
	const more = partitions.length - group(name).members.length;
	for (let n = 0; n < Math.abs(more); n++) act(more > 0 ? 'start' : 'stop', {group: name, program, storeTime});
}, () => held(name) === partitions.join(' ')];
const reader = (name, ...how) => [...members(name, [16], ...how), read(name)];

const steps = [
	[send(1, 'producer', 'hello')],
	[reader(simple, 'earliest')],
	[members(simple, []), send(5, 'keys-producer'), reader(simple, 'earliest')],
	[[...reader(oldest, 'earliest'), () => commits(oldest) < 16], [...reader(commit, 'latest'), () => commits(commit) === 16]],
	[reader(commit, 'latest'), members(commit, []), send(1, 'producer', 'important'),
		[...members(commit, [16], 'store-first', '30'), storing], kill(commit), reader(commit, 'store-first')],
	[members(commit, []), send(1, 'producer', 'precious'),
		[...reader(commit, 'commit-first', '30'), storing], members(commit, []), reader(commit, 'store-first')],
	[members(shared, [16], 'latest'), members(shared, [8, 8], 'latest'), [...send(40, 'keys-producer'), read(shared)]],
	[members(shared, [16], 'latest')],
	[members(shared, [...Array(16).fill(1), 0], 'latest')],
	[[...send(20, 'keys-producer'), grown => grown.length > 1], [...send(20, 'producer-five'), grown => grown.length === 1]],
];

export function startLesson(act) {
	const items = [...byId('steps').children], button = byId('do');
	let step = 0, stage = 0, before = null, running = false;
	const stages = () => steps[step] ?? []; // the end has none
	const isDone = () => stage === stages().length;
	const begin = () => running && stages()[stage][0](act);

	function show(n) {
		[step, stage, before, running] = [n, 0, picture && ends(), false];
		items.forEach((item, i) => setHidden(item, i !== n));
		draw();
	}
	function draw() {
		const {label, program} = items[step].dataset, end = step === steps.length;
		for (const element of [button, byId('code'), byId('progress'), byId('next')]) setHidden(element, end);
		setHidden(byId('back'), step === 0);
		if (end) return;
		setAttribute(byId('lesson'), 'class', isDone() ? 'done' : '');
		setText(byId('progress'), `Step ${step + 1} of ${steps.length}${isDone() ? ': done ✓' : ''}`);
		setText(button, running ? 'watch …' : label);
		setAttribute(button, 'aria-disabled', running);
		setAttribute(byId('code'), 'href', `${program}/main.go.txt`);
	}
	on('picture', newest => {
		picture = newest;
		before ??= ends();
		const grown = ends().map((end, n) => end - before[n]).filter(Boolean);
		if (!isDone() && stages()[stage].slice(1).every(seen => seen(grown))) {
			[before, stage] = [ends(), stage + 1];
			running &&= !isDone();
			begin();
		}
		draw();
	});
	on('note', () => running = false); // perhaps Kafka refuses something
	button.addEventListener('click', () => {
		if (running) return;
		if (isDone()) show(step); // once more
		running = true;
		begin();
		draw();
	});
	byId('next').addEventListener('click', () => show(step + 1));
	byId('back').addEventListener('click', () => show(step - 1));
	show(0);
}
