// The lesson. A step is done when the pictures of the observer show it. The button of the step may have
// done it, or the student with the bar. The sentences are in play.html.

import {byId, setAttribute, setHidden, setText} from './dom.js';
import {act} from './play.js';
import {on} from './source.js';

const picture = {topic: {partitions: []}, groups: []}; // the newest one
const ends = () => picture.topic.partitions.map(partition => partition.end);
const grown = () => ends().map((end, n) => end - (before[n] ?? 0)).filter(Boolean); // since the stage began
const group = name => picture.groups.find(group => group.name === name) ?? {members: [], commits: []};
const held = name => group(name).members.map(member => member.partitions.length).sort((a, b) => b - a).join(' ');
const commits = name => group(name).commits.filter(commit => commit.offset >= 0).length;
const read = name => () => ends().every((end, n) => end === Math.max(0, group(name).commits[n]?.offset ?? 0)); // everything
const storing = () => byId('printed').textContent.endsWith('Start Storing');

// A stage has what the button does, and what is seen then.
const send = (count, program, lines) => [() => act({what: 'send', count, program, lines}), () => grown().reduce((a, b) => a + b, 0) >= count];
const kill = group => [() => act({what: 'kill', group}), () => held(group) === ''];

// members makes so many members hold so many partitions each. No other group of the lesson keeps its members.
const members = (name, partitions, program, storeTime = '1') => [() => {
	for (const other of names) if (other !== name) for (const _ of group(other).members) act({what: 'stop', group: other});
	const more = partitions.length - group(name).members.length, what = more > 0 ? 'start' : 'stop';
	for (let n = 0; n < Math.abs(more); n++) act({what, group: name, program, storeTime});
}, () => held(name) === partitions.join(' ')];
const reader = (name, ...how) => [...members(name, [16], ...how), read(name)];

const names = ['simple_consumer', 'from_the_start', 'client60_group', 'consumer_group_1'], [simple, oldest, commit, shared] = names;
const earliest = 'consumer-earliest', latest = 'consumergroup/consumer', keys = 'consumergroup/producer';
const storeFirst = 'commitoffsets/consumercommit', commitFirst = 'commitoffsets/consumercommit-first';
const steps = [
	[send(1, 'producer', 'hello')],
	[reader(simple, earliest)],
	[members(simple, []), send(5, keys), reader(simple, earliest)],
	[[...reader(oldest, earliest), () => commits(oldest) < 16], [...reader(commit, latest), () => commits(commit) === 16]],
	[reader(commit, latest), members(commit, []), send(1, 'producer', 'important'),
		[...members(commit, [16], storeFirst, '30'), storing], kill(commit), reader(commit, storeFirst)],
	[members(commit, []), send(1, 'producer', 'precious'),
		[...reader(commit, commitFirst, '30'), storing], members(commit, []), reader(commit, storeFirst)],
	[members(shared, [16], latest), members(shared, [8, 8], latest), [...send(40, keys), read(shared)]],
	[members(shared, [16], latest)],
	[members(shared, [...Array(16).fill(1), 0], latest)],
	[[...send(20, keys), () => grown().length > 1], [...send(20, 'producer-five'), () => grown().length === 1]],
	[],
];

const items = [...byId('steps').children];
let step, todo, before, running; // todo has the stages that are left, and before has the ends when the first of them began

function show(n, run) {
	[step, todo, running] = [n, steps[n], run];
	begin();
}
function begin() {
	before = ends();
	if (running) todo[0][0]();
	const state = running ? 'running' : todo.length ? '' : 'done', text = {running: ': watch …', done: ': done ✓'};
	setAttribute(byId('lesson'), 'class', state);
	setText(byId('progress'), `Step ${step + 1} of 10${text[state] ?? ''}`);
	items.forEach((item, n) => setHidden(item, n !== step));
}
on('picture', newest => {
	Object.assign(picture, newest);
	if (!todo.length || !todo[0].slice(1).every(seen => seen())) return;
	todo = todo.slice(1);
	running &&= todo.length > 0;
	begin();
});
on('note', () => running && show(step, false)); // perhaps Kafka refuses something
byId('steps').addEventListener('click', ({target}) => target.type === 'button' && !running && show(step, true));
byId('next').addEventListener('click', () => show(step + 1, false));
byId('back').addEventListener('click', () => show(step - 1, false));
show(0, false);
