// The bar and the lesson of the playground, above the live page. Their sentences are in play.html.

import {byId, make, setAttribute, setHidden, setText} from './dom.js';
import {visible} from './format.js';
import {show} from './page.js';
import {state} from './state.js';

const file = 'worker.js', trusted = globalThis.trustedTypes?.createPolicy('worker', {createScriptURL: () => file});
const worker = new Worker(trusted?.createScriptURL(file) ?? file); // Kafka
const on = (what, act) => worker.addEventListener('message', ({data}) => data[0] === what && act(data[1]));
const note = text => setText(byId('note'), text);

on('picture', picture => {
	const seconds = Math.round((picture.version - state.version) / 1000); // usually less than one
	if (byId('play').disabled) note(''); // Kafka was loading
	else if (seconds > 5) note(`The browser stopped this tab for ${seconds} seconds. ` +
		'So groups may have removed their members, which then join again.');
	byId('play').disabled = false;
	show(picture);
	if (state.groups.some(group => group.name === wanted)) [state.group, wanted] = [wanted, null];
});
on('problem', problem => show(null, problem));
on('note', note);
on('refused', note);
on('printed', text => {
	const lines = text.split('\n').slice(-8).map(line => make('code', {}, visible(line, 200)));
	byId('printed').replaceChildren(...[...byId('printed').children, ...lines].slice(-8));
});

// act makes Kafka do something. The lanes show the group of the last member that was started.
let wanted = null;
function act({count, ...order}) {
	if (order.what === 'start') wanted = order.group;
	note(document.querySelector(`#bar [value=${order.what}]`).dataset.note ?? '');
	if (count > 1) order.lines = Array.from({length: count}, (_, n) => `message ${n + 1}`).join('\n');
	worker.postMessage(JSON.stringify(order));
}
byId('bar').addEventListener('submit', event => {
	event.preventDefault();
	act(Object.fromEntries(new FormData(event.target, event.submitter)));
});
byId('bar').addEventListener('change', ({target}) => {
	if (target.name === 'program') target.form.querySelector('a').href = `${target.value}/main.go.txt`;
});

// The lesson. A step has stages, which stand in play.html, too. Each does something, and is over when the picture of
// the observer shows that it has happened: by the button of the step, or by the bar.
const ends = () => state.topic.partitions.map(partition => partition.end);
const grown = () => ends().map((end, n) => end - (before[n] ?? 0)).filter(Boolean);
const group = name => state.groups.find(group => group.name === name) ?? {members: [], commits: []};
const held = name => group(name).members.map(member => member.partitions.length).sort((a, b) => b - a).join();
const stop = name => group(name).members.forEach(() => act({what: 'stop', group: name}));
const stages = {
	send: [(count, program, lines) => act({what: 'send', count, program, lines}),
		count => grown().reduce((a, b) => a + b, 0) >= count],
	spread: [null, () => grown().length > 1],
	together: [null, () => grown().length === 1],
	hold: [(name, partitions, program, storeTime = '1') => { // no other group keeps its members
		for (const other of state.groups) if (other.name !== name) stop(other.name);
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
const all = n => items[n].dataset.stages?.split(';').map(stage => stage.trim().split(/\s+/)) ?? [];
let step, todo, running, before = []; // the stages that are left, and the ends before the last messages

// turn turns to a step, or to the next stage of it.
function turn(n, run = false, left = all(n)) {
	[step, todo, running] = [n, left, run && left.length > 0];
	const [name, ...args] = todo[0] ?? [];
	if (name === 'send') before = ends();
	if (running) stages[name][0]?.(...args);
	const [look, sentence] = running ? ['running', ': watch …'] : todo.length ? ['', ''] : ['done', ': done ✓'];
	setAttribute(byId('lesson'), 'class', look);
	setText(byId('progress'), `Step ${step + 1} of 10${sentence}`);
	items.forEach((item, n) => setHidden(item, n !== step));
}
turn(0);
on('picture', () => {
	const [name, ...args] = todo[0] ?? [];
	if (name && stages[name][1](...args)) turn(step, running, todo.slice(1));
});
on('refused', () => running && turn(step));
byId('steps').addEventListener('click', ({target}) => target.type === 'button' && !running && turn(step, true));
byId('next').addEventListener('click', () => turn(step + 1));
byId('back').addEventListener('click', () => turn(step - 1));
