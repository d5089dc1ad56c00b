// The lesson. A step is done when the pictures of the observer show it. The button of the step may have
// done it, or the student with the bar. The sentences are in play.html.

import {byId, setAttribute, setHidden, setText} from './dom.js';
import {state} from './state.js';

const total = picture => picture.topic.partitions.reduce((sum, p) => sum + p.end, 0);
const grown = (now, before) => now.topic.partitions.map((p, n) => p.end - before.topic.partitions[n].end).filter(n => n > 0);
const group = (picture, name) => picture.groups.find(g => g.name === name) ?? {members: [], commits: []};
const unread = (picture, name) => picture.topic.partitions.reduce((sum, p, n) => sum + p.end - Math.max(0, group(picture, name).commits[n]?.offset ?? 0), 0);
const commits = (picture, name) => group(picture, name).commits.filter(c => c.offset >= 0).length;
const held = (picture, name) => group(picture, name).members.map(m => m.partitions.length).sort((a, b) => b - a).join(' ');

// lesson is a list of stages for each step: what the button does, and when that is seen.
function lesson(act) {
	const send = (Count, Key, Line) => [() => act('send', {Program: Key === 'each' ? 'keys-producer' : 'producer', Count, Key, Line}), (now, before) => total(now) >= total(before) + Count];
	// members starts and stops members until there are so many. They have committed everything, or not.
	const names = new Set(); // of the groups of the lesson: only one of them has members at a time
	const members = (Group, count, Program, left, StoreTime = 1) => [async () => {
		names.add(Group);
		for (const {name, members} of state.groups) {
			if (name !== Group && names.has(name)) for (const _ of members) await act('stop', {Group: name}).catch(() => {});
		}
		for (let more = count - group(state, Group).members.length; more; more -= Math.sign(more)) await act(more > 0 ? 'start' : 'stop', {Group, Program, StoreTime});
	}, now => {
		const g = group(now, Group);
		return g.members.length === count && (left === undefined || unread(now, Group) === left) && g.members.reduce((sum, m) => sum + m.partitions.length, 0) === (count && 16);
	}];
	const left = (name, n) => now => unread(now, name) === n;
	const both = (stage, seen) => [stage[0], (now, before) => stage[1](now, before) && seen(now, before)];
	return [
		[send(1, '', 'hello')],
		[members('simple_consumer', 1, 'earliest', 0)],
		[members('simple_consumer', 0), both(send(5, 'each'), left('simple_consumer', 5)), members('simple_consumer', 1, 'earliest', 0)],
		[both(members('from_the_start', 1, 'earliest', 0), now => commits(now, 'from_the_start') < 16),
			both(members('client60_group', 1, 'latest', 0), now => commits(now, 'client60_group') === 16)],
		[members('client60_group', 1, 'latest'), members('client60_group', 0), both(send(1, '', 'important'), left('client60_group', 1)),
			members('client60_group', 1, 'store-first', 1, 30), [() => act('kill', {Group: 'client60_group'}), now => !group(now, 'client60_group').members.length],
			members('client60_group', 1, 'store-first', 0)],
		[members('client60_group', 0), both(send(1, '', 'precious'), left('client60_group', 1)), members('client60_group', 1, 'commit-first', 0, 30),
			members('client60_group', 0, '', 0), members('client60_group', 1, 'store-first', 0)],
		[members('consumer_group_1', 1, 'latest'), both(members('consumer_group_1', 2, 'latest'), now => held(now, 'consumer_group_1') === '8 8'), both(send(40, 'each'), left('consumer_group_1', 0))],
		[members('consumer_group_1', 1, 'latest')],
		[both(members('consumer_group_1', 17, 'latest'), now => held(now, 'consumer_group_1').endsWith('1 0'))],
		[both(send(20, 'each'), (now, before) => grown(now, before).length > 1), both(send(20, 'five'), (now, before) => grown(now, before).join() === '20')],
	];
}

export function startLesson(act, on) {
	const steps = lesson(act), items = [...byId('steps').children], button = byId('do'), next = byId('next');
	let step = 0, stage = 0, before = null, running = null, newest = null;
	const isDone = () => stage === steps[step]?.length;

	function show(n) {
		[step, stage, before, running] = [n, 0, newest, null];
		items.forEach((item, i) => setHidden(item, i !== n));
		draw();
	}
	function draw() {
		const more = step < steps.length, {label, program} = items[step].dataset;
		for (const element of [button, byId('code'), byId('progress'), next]) setHidden(element, !more);
		setHidden(byId('back'), step === 0);
		if (!more) return;
		setText(button, running ? 'watch …' : label);
		setAttribute(button, 'aria-disabled', running !== null);
		setAttribute(byId('code'), 'href', `${program}/main.go.txt`);
		setText(byId('progress'), `Step ${step + 1} of ${steps.length}${isDone() ? ': done ✓' : ''}`);
		setAttribute(button, 'class', isDone() ? 'done' : '');
		setAttribute(next, 'class', isDone() ? 'ready' : 'plain');
	}
	on('picture', picture => {
		newest = picture;
		before ??= picture;
		while (steps[step]?.[stage]?.[1](picture, before)) [before, stage] = [picture, stage + 1];
		draw();
	});
	button.addEventListener('click', async () => {
		if (running) return;
		if (isDone()) show(step); // once more
		const mine = running = {};
		draw();
		try {
			for (let at = -1; running === mine && !isDone(); await new Promise(seen => setTimeout(seen, 300))) {
				if (at !== stage) await steps[step][at = stage][0]();
			}
		} catch { // the note has the reason
		}
		if (running === mine) running = null;
		draw();
	});
	next.addEventListener('click', () => show(step + 1));
	byId('back').addEventListener('click', () => show(step - 1));
	show(0);
}
