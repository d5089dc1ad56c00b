// The bar, with what a student does in sections 1 to 4, and the lesson beside it. What they say is in play.html.

import {byId, make, setAttribute, setHidden, setText} from './dom.js';
import {visible} from './format.js';
import {state} from './state.js';
import {on, order} from './source.js';

const note = text => setText(byId('note'), text);
on('note', note);
on('printed', text => {
	const lines = text.split('\n').slice(-8).map(line => make('code', {}, visible(line, 200)));
	byId('printed').replaceChildren(...[...byId('printed').children, ...lines].slice(-8));
});

// act makes Kafka do something. The lanes show the group of the last member that was started.
let wanted = null;
function act({count, ...fields}) {
	if (fields.what === 'start') wanted = fields.group;
	note(document.querySelector(`#bar [value=${fields.what}]`).dataset.note ?? '');
	if (count > 1) fields.lines = Array.from({length: count}, (_, n) => `message ${n + 1}`).join('\n');
	order(fields);
}
byId('bar').addEventListener('submit', event => {
	event.preventDefault();
	act(Object.fromEntries(new FormData(event.target, event.submitter)));
});
byId('bar').addEventListener('change', ({target}) => {
	if (target.name === 'program') target.form.querySelector('a').href = `${target.value}/main.go.txt`;
});

// The lesson. A step has stages, which stand in play.html. Each does something, and is over when the newest picture of the
// observer shows that it has happened: by the button of the step, or by the bar.
const picture = {topic: {partitions: []}, groups: []};
const ends = () => picture.topic.partitions.map(partition => partition.end);
const grown = () => ends().map((end, n) => end - (before[n] ?? 0)).filter(Boolean);
const group = name => picture.groups.find(group => group.name === name) ?? {members: [], commits: []};
const held = name => group(name).members.map(member => member.partitions.length).sort((a, b) => b - a).join();
const stop = name => group(name).members.forEach(() => act({what: 'stop', group: name}));
const stages = {
	send: [(count, program, lines) => act({what: 'send', count, program, lines}), count => grown().reduce((a, b) => a + b, 0) >= count],
	spread: [null, () => grown().length > 1],
	together: [null, () => grown().length === 1],
	hold: [(name, partitions, program, storeTime = '1') => { // no other group keeps its members
		for (const other of picture.groups) if (other.name !== name) stop(other.name);
		const more = partitions.split(',').length - group(name).members.length, what = more > 0 ? 'start' : 'stop';
		for (let n = 0; n < Math.abs(more); n++) act({what, group: name, program, storeTime});
	}, (name, partitions) => held(name) === partitions],
	read: [null, name => ends().every((end, n) => end === Math.max(0, group(name).commits[n]?.offset ?? 0))],
	latest: [null, name => group(name).commits.every(commit => commit.offset >= 0)],
	storing: [null, () => byId('printed').textContent.endsWith('Start Storing')],
	stop: [stop, name => held(name) === ''],
	kill: [name => act({what: 'kill', group: name}), name => held(name) === ''],
};

const items = [...byId('steps').children];
let step, todo, running, before = []; // todo has the stages that are left, and before has the ends when the last one began to send

function show(n, run = false) {
	[step, running] = [n, run];
	todo = items[n].dataset.stages?.split(';').map(stage => stage.trim().split(' ')) ?? [];
	begin();
}
function begin() {
	const [name, ...args] = todo[0] ?? [], done = !todo.length;
	if (name === 'send') before = ends();
	running &&= !done;
	if (running) stages[name][0]?.(...args);
	setAttribute(byId('lesson'), 'class', done ? 'done' : running ? 'running' : '');
	setText(byId('progress'), `Step ${step + 1} of 10${done ? ': done ✓' : running ? ': watch …' : ''}`);
	items.forEach((item, n) => setHidden(item, n !== step));
}
show(0);
byId('steps').addEventListener('click', ({target}) => target.type === 'button' && !running && show(step, true));
byId('next').addEventListener('click', () => show(step + 1));
byId('back').addEventListener('click', () => show(step - 1));
on('note', () => running && show(step)); // perhaps Kafka refuses something
on('picture', newest => {
	const seconds = Math.round((newest.version - picture.version) / 1000); // usually less than one
	if (seconds > 5) note(`The browser stopped this tab for ${seconds} seconds. So groups may have removed their members, which then join again.`);
	if (byId('play').disabled || newest.problem) note(''); // Kafka is loading
	byId('play').disabled = Boolean(newest.problem);
	Object.assign(picture, newest);
	if (picture.groups.some(group => group.name === wanted)) [state.group, wanted] = [wanted, null];
	const [name, ...args] = todo[0] ?? [];
	if (!name || !stages[name][1](...args)) return;
	todo.shift();
	begin();
});
