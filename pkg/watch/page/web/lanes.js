// The lanes: each partition is a log that grows to the right, solid in its member's colour up to the
// committed offset, hatched from there to the end.

import {chosen, state} from './state.js';
import {byId, chip, colour, make, setAttribute, setChip, setClass, setHidden, setStyle, setText} from './dom.js';
import {number, plural} from './format.js';
import {common, own, ticks} from './scale.js';
import {explain} from './tip.js';
import {headline, lesson} from './headline.js';

const compact = 32;      // with more partitions than this, the lanes are thin and stand in columns
const visibleBlock = 10; // a message of so many pixels is drawn as a block
const none = {offset: -1, lag: -1, holder: 0, by: 0};

export function lanes(draw) {
	const section = byId('lanes'), list = byId('partitions'), axis = byId('axis'), legend = byId('legend');
	let together = true; // one scale for all lanes
	let columns = 1;     // of thin lanes
	let width = 0;       // of a lane's track, in pixels
	let current = 0;     // the lane that Tab reaches; arrow keys reach the others
	let rows = [];

	const term = (help, text, className) => {
		const button = make('button', {type: 'button', className}, text);
		button.dataset.help = help;
		return button;
	};
	const scaleButton = term('scale', '', 'scale');
	scaleButton.addEventListener('click', () => {
		together = !together;
		draw();
	});
	const [, , unowned, deleted] = [['committed', 'committed', 'done'], ['uncommitted', 'not committed: will be read, or read again after a crash', 'todo'],
		['unowned', 'held by nobody', 'unowned'], ['deleted', 'deleted', 'deleted']].map(([help, text, sample]) => {
		const button = term(help, text, 'term');
		button.prepend(make('span', {className: `sample ${sample}`}));
		legend.append(button);
		return button;
	});
	legend.append(scaleButton);

	function reach(index) {
		if (rows[current]) rows[current].tabIndex = -1;
		current = index;
		if (rows[current]) rows[current].tabIndex = 0;
	}
	list.addEventListener('keydown', event => {
		const step = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9}[event.key];
		if (!step) return;
		event.preventDefault();
		reach(Math.max(0, Math.min(rows.length - 1, current + step)));
		rows[current].focus();
	});

	function newRow(_, n) {
		const button = make('button', {type: 'button', className: 'lane', tabIndex: -1}, make('span', {className: 'name'}, n), chip(0),
			make('span', {className: 'track'}, make('span', {className: 'log'}, make('span', {className: 'done'}), make('span', {className: 'todo'}))),
			make('span', {className: 'lag'}), make('span', {className: 'end'}));
		for (const part of button.children) part.ariaHidden = 'true'; // the sentence has it all
		button.append(make('span', {className: 'unseen'}));
		button.addEventListener('click', () => {
			state.partition = state.partition === n ? null : n;
			reach(n);
			draw();
		});
		return explain(button, () => button.sentence);
	}

	function measure() {
		columns = Math.max(1, Math.floor(list.clientWidth / (20 * parseFloat(getComputedStyle(list).fontSize))));
		width = rows[0]?.children[2].getBoundingClientRect().width ?? 0;
	}
	new ResizeObserver(() => {
		measure();
		draw();
	}).observe(list);

	return () => {
		const {partitions} = state.topic, group = chosen();
		if (rows.length !== partitions.length) {
			rows = partitions.map(newRow);
			list.replaceChildren(...rows.map(row => make('li', {}, row)));
			reach(0);
			setClass(section, partitions.length > compact ? 'compact' : partitions.length <= 4 ? 'few' : '');
			measure();
		}
		setText(byId('headline'), headline(group));
		lesson(byId('start'), group);
		setHidden(legend, partitions.length === 0);
		setHidden(axis, partitions.length === 0 || !together || width === 0);
		if (partitions.length === 0) return;

		const shared = group?.type === 'share', commits = group?.commits ?? [];
		const scale = common(partitions), block = together ? width / (scale.hi - scale.lo) : 0;
		const odd = commits.some(c => c.fault) || partitions.some(p => p.leader < 0);
		setStyle(list, '--rows', Math.ceil(partitions.length / columns));
		setStyle(section, '--block', `${block}px`);
		setAttribute(section, 'data-blocks', block >= visibleBlock);
		setText(scaleButton, together ? 'one scale for all' : 'a scale for each');
		setAttribute(scaleButton, 'aria-pressed', !together);
		setStyle(section, '--lag-width', `${Math.max(odd ? 9 : 3, number(Math.max(...commits.map(c => c.lag), 0)).length) * 1.15}ch`);
		setStyle(section, '--end-width', `${Math.max(3, number(Math.max(...partitions.map(p => p.end))).length)}ch`);
		drawAxis(axis, scale, partitions.length > compact, width, block >= visibleBlock ? 0.5 : 0);
		partitions.forEach((p, n) => {
			const commit = commits[n] ?? none;
			drawRow(rows[n], p, commit, together ? scale : own(p), group ? shared ? 'neutral' : colour(commit.holder) : 'neutral',
				[commits[n - 1]?.holder === commit.holder ? 'joined' : '', commits[n + 1]?.holder === commit.holder ? 'joins' : '']);
			if (group && !shared) setChip(rows[n].children[1], commit.holder);
			else setText(setClass(rows[n].children[1], 'chip neutral'), shared ? '∗' : '');
			rows[n].sentence = sentence(n, p, commit, shared, group);
			setText(rows[n].lastChild, rows[n].sentence[0]);
			setAttribute(rows[n], 'aria-pressed', state.partition === n);
		});
		setHidden(unowned, !group || shared || commits.every(c => c.holder));
		setHidden(deleted, !together || partitions.every(p => p.start <= scale.lo));
	};
}

function drawRow(row, p, commit, scale, holder, neighbours) {
	const [, , track, lag, end] = row.children, log = track.firstChild;
	const percent = offset => (Math.max(scale.lo, Math.min(scale.hi, offset)) - scale.lo) / (scale.hi - scale.lo) * 100;
	const start = percent(p.start), length = p.end - p.start;
	const committed = commit.offset < 0 ? 0 : Math.max(0, Math.min(commit.offset, p.end) - p.start);
	const set = (element, property, value) => setStyle(element, property, `${Number(value.toFixed(3))}%`);
	set(log, 'left', Math.min(start, 97));
	set(log, 'width', percent(p.end) - start);
	set(log.firstChild, 'width', length ? committed / length * 100 : 0);
	set(track, '--start', start); // of the messages that were deleted
	setClass(row, ['lane', holder, length > 0 ? 'some' : '', committed > 0 ? 'has-done' : '', length > committed ? 'has-todo' : '',
		commit.offset < 0 ? 'unknown' : '', commit.fault ? 'fault' : '', p.leader < 0 ? 'no-leader' : '', ...neighbours].filter(Boolean).join(' '));
	setText(lag, p.leader < 0 ? 'no leader' : commit.fault ?? (commit.lag < 0 ? '–' : number(commit.lag)));
	setText(end, number(p.end));
}

// sentence explains a lane, and names the word that it is about.
function sentence(n, p, commit, shared, group) {
	const name = `partition ${n}`;
	const log = p.end === p.start ? `Partition ${n} has no messages` :
		p.end - p.start === 1 ? `Partition ${n} has one offset, ${number(p.start)}` :
		`Partition ${n} has the offsets from ${number(p.start)} to ${number(p.end - 1)}`;
	if (p.leader < 0) return [`No broker leads ${name} now, so nothing can be written to it or read from it.`, 'leader'];
	if (!group) return [`${log}.`, 'partition'];
	const who = shared ? `The members share the messages of ${name}` :
		commit.holder ? `Member ${commit.holder} holds ${name}` : `Nobody holds ${name}`;
	if (commit.fault === 'expired') return [`${who}: the group committed offset ${number(commit.offset)}, but the log begins at ${number(p.start)}: what was in between was deleted before the group read it.`, 'expired'];
	if (commit.fault === 'beyond') return [`${who}: the group committed offset ${number(commit.offset)}, but the log ends at ${number(p.end)}.`, 'beyond'];
	if (commit.offset < 0) return [`${who}, and the group has committed nothing here: its reset policy decides where it starts.`, 'nothing'];
	const by = commit.by && commit.by !== commit.holder ? ` (committed by member ${commit.by})` : '';
	if (commit.lag === 0) return [`${who}: the group has read and committed all of it, up to offset ${number(p.end)}${by}.`, commit.holder || shared ? 'committed' : 'unowned'];
	return [`${who}: the group has committed up to offset ${number(commit.offset)} of ${number(p.end)}${by}, and the lag is ${number(commit.lag)}: what is there will be read, or read again after a crash.`, 'uncommitted'];
}

let drawn = '';

// drawAxis writes offsets above the lanes: in the middle of a block if messages are blocks.
function drawAxis(axis, scale, thin, width, middle) {
	const key = `${scale.lo} ${scale.hi} ${Math.round(width)} ${thin} ${middle}`;
	if (key === drawn) return;
	drawn = key;
	if (thin) {
		axis.replaceChildren(`Each lane goes from offset ${number(scale.lo)} to ${number(scale.hi)}.`);
		return;
	}
	const marks = ticks(scale, Math.max(2, Math.floor(width / 80))).map(offset => {
		const mark = make('span', {className: middle ? 'tick' : 'tick line'}, number(offset));
		mark.style.setProperty('--at', `${(offset + middle - scale.lo) / (scale.hi - scale.lo) * 100}%`);
		return mark;
	});
	axis.replaceChildren(make('span', {className: 'heads'}, 'lag'), make('span', {className: 'heads'}, 'end'), make('span', {className: 'marks'}, ...marks));
}
