// The lanes: each partition is a log that grows to the right, solid in its member's colour up to the
// committed offset, hatched from there to the end.

import {chosen, state} from '/state.js';
import {byId, chip, colour, make, setAttribute, setChip, setClass, setHidden, setStyle, setText} from '/dom.js';
import {number, plural} from '/format.js';
import {common, own, ticks} from '/scale.js';
import {explain} from '/tip.js';
import {headline, lesson} from '/headline.js';

const compact = 32;      // with more partitions than this, the lanes are thin and stand in columns
const calm = 64;         // with more than this, nothing moves smoothly
const visibleBlock = 10; // a message of so many pixels is drawn as a block

export function lanes(draw) {
	const section = byId('lanes'), list = byId('partitions'), axis = byId('axis');
	let together = true; // one scale for all lanes
	let columns = 1;     // of thin lanes
	let width = 0;       // of a lane's track, in pixels
	let current = 0;     // the lane that Tab reaches; arrow keys reach the others
	const rows = [];

	const scaleButton = make('button', {type: 'button', className: 'scale'});
	scaleButton.dataset.help = 'scale';
	scaleButton.addEventListener('click', () => {
		together = !together;
		draw();
	});
	const legend = byId('legend');
	const term = (help, text, sample) => {
		const button = make('button', {type: 'button', className: 'term'}, make('span', {className: `sample ${sample}`}), text);
		button.dataset.help = help;
		return button;
	};
	const unowned = term('unowned', 'held by nobody', 'unowned');
	const deleted = term('deleted', 'deleted', 'deleted');
	legend.append(term('committed', 'committed', 'done'), term('uncommitted', 'not committed: will be read, or read again after a crash', 'todo'),
		unowned, deleted, scaleButton);

	function newRow(partition) {
		const track = make('span', {className: 'track'},
			make('span', {className: 'log'}, make('span', {className: 'done'}), make('span', {className: 'todo'})));
		const button = make('button', {type: 'button', className: 'lane', tabIndex: -1, ariaPressed: 'false'},
			make('span', {className: 'name'}, partition), chip(0), track,
			make('span', {className: 'lag'}), make('span', {className: 'end'}));
		for (const part of button.children) part.ariaHidden = 'true'; // the sentence has it all
		button.append(make('span', {className: 'unseen'}));
		button.addEventListener('click', () => {
			state.partition = state.partition === partition ? null : partition;
			reach(partition);
			draw();
		});
		const row = {partition, item: make('li', {}, button), button, key: '', explanation: () => ['']};
		[, row.chip, row.track, row.lag, row.end, row.spoken] = button.children;
		row.log = row.track.firstChild;
		row.done = row.log.firstChild;
		explain(button, () => row.explanation());
		return row;
	}

	function reach(index) {
		if (rows[current]) rows[current].button.tabIndex = -1;
		current = index;
		if (rows[current]) rows[current].button.tabIndex = 0;
	}
	list.addEventListener('keydown', event => {
		const step = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9}[event.key];
		if (!step) return;
		event.preventDefault();
		reach(Math.max(0, Math.min(rows.length - 1, current + step)));
		setText(rows[current].spoken, rows[current].explanation()[0]);
		rows[current].button.focus();
	});

	new ResizeObserver(() => {
		const rem = parseFloat(getComputedStyle(list).fontSize);
		columns = Math.max(1, Math.floor(list.clientWidth / (20 * rem)));
		width = rows[0]?.track.getBoundingClientRect().width ?? 0;
		draw();
	}).observe(list);

	let later = 0; // the texts for screen readers change a few at a time

	return () => {
		const {partitions} = state, group = chosen();
		setHidden(legend, partitions.length === 0);
		if (rows.length !== partitions.length) {
			rows.splice(0, rows.length, ...partitions.map(p => newRow(p.partition)));
			list.replaceChildren(...rows.map(row => row.item));
			if (!partitions.some(p => p.partition === state.partition)) state.partition = null;
			reach(0);
			width = rows[0]?.track.getBoundingClientRect().width ?? 0;
			setClass(section, ['', partitions.length > compact ? 'compact' : '', partitions.length > calm ? 'calm' : '',
				partitions.length <= 4 ? 'few' : ''].filter(Boolean).join(' '));
		}
		setText(byId('headline'), headline(group));
		lesson(byId('start'), group);
		if (partitions.length === 0) return setHidden(axis, true);

		const shared = group?.type === 'share';
		const scale = together ? common(partitions) : null;
		const block = scale ? width / (scale.hi - scale.lo) : 0;
		setStyle(list, '--rows', Math.ceil(partitions.length / columns));
		setStyle(section, '--block', `${block}px`);
		setAttribute(section, 'data-blocks', block >= visibleBlock);
		setText(scaleButton, together ? 'one scale for all' : 'a scale for each');
		setAttribute(scaleButton, 'aria-pressed', !together);
		const commits = group?.commits ?? [];
		const odd = commits.some(c => c.fault) || partitions.some(p => p.leader < 0);
		const widest = Math.max(...commits.map(c => c.lag), 0);
		setStyle(section, '--lag-width', `${Math.max(odd ? 9 : 3, number(widest).length) * 1.15}ch`);
		setStyle(section, '--end-width', `${Math.max(3, number(Math.max(...partitions.map(p => p.end))).length)}ch`);
		drawAxis(axis, scale, partitions, width, block);

		let labels = 30;
		let holder = -1;
		partitions.forEach((p, i) => {
			const row = rows[i], commit = group?.commits[i] ?? none;
			const next = group?.commits[i + 1]?.holder;
			drawRow(row, p, commit, scale ?? own(p), shared, [commit.holder === holder, commit.holder === next], group);
			holder = commit.holder;
			setAttribute(row.button, 'aria-pressed', state.partition === p.partition);
			if (row.labelled !== row.key && labels-- > 0) {
				row.labelled = row.key;
				setText(row.spoken, row.explanation()[0]);
			}
		});
		if (labels < 0 && !later) later = setTimeout(() => { later = 0; draw(); }, 200);
		setHidden(unowned, !group || shared || group.commits.every(c => c.holder));
		setHidden(deleted, !scale || partitions.every(p => p.start <= scale.lo));
	};
}

const none = {offset: -1, lag: -1, holder: 0, by: 0};

function drawRow(row, p, commit, scale, shared, [joined, joins], group) {
	const key = [p.start, p.end, p.leader, commit.offset, commit.lag, commit.holder, commit.by, commit.fault,
		scale.lo, scale.hi, joined, joins, group?.name].join(' ');
	if (row.key === key) return;
	row.key = key;

	const percent = offset => (Math.max(scale.lo, Math.min(scale.hi, offset)) - scale.lo) / (scale.hi - scale.lo) * 100;
	const start = percent(p.start), end = percent(p.end);
	const length = p.end - p.start;
	const committed = commit.offset < 0 ? 0 : Math.max(0, Math.min(commit.offset, p.end) - p.start);
	const set = (element, property, value) => setStyle(element, property, `${Number(value.toFixed(3))}%`);
	set(row.log, 'left', Math.min(start, 97));
	set(row.log, 'width', end - start);
	set(row.done, 'width', length ? committed / length * 100 : 0);
	set(row.track, '--start', start); // of the messages that were deleted

	const kind = [shared || !group ? 'neutral' : colour(commit.holder)];
	if (length > 0) kind.push('some');
	if (committed > 0) kind.push('has-done');
	if (length > committed) kind.push('has-todo');
	if (commit.offset < 0) kind.push('unknown');
	if (commit.fault) kind.push('fault');
	if (p.leader < 0) kind.push('no-leader');
	if (joined) kind.push('joined');
	if (joins) kind.push('joins');
	setClass(row.button, `lane ${kind.join(' ')}`);

	if (shared || !group) {
		setClass(row.chip, 'chip neutral');
		setText(row.chip, shared ? '∗' : '');
	} else {
		setChip(row.chip, commit.holder);
	}
	setText(row.lag, lagText(p, commit));
	setText(row.end, number(p.end));
	row.explanation = () => sentence(p, commit, shared, group);
}

function lagText(p, commit) {
	if (p.leader < 0) return 'no leader';
	return commit.fault ?? (commit.lag < 0 ? '–' : number(commit.lag));
}

// sentence explains a lane.
function sentence(p, commit, shared, group) {
	const name = `partition ${p.partition}`;
	const log = p.end === p.start ? `Partition ${p.partition} has no messages` :
		p.end - p.start === 1 ? `Partition ${p.partition} has one message, offset ${number(p.start)}` :
		`Partition ${p.partition} has the messages from offset ${number(p.start)} to ${number(p.end - 1)}`;
	if (p.leader < 0) return [`No broker leads ${name} now, so nothing can be written to it or read from it.`, 'leader'];
	if (!group) return [`${log}.`, 'partition'];
	const who = shared ? `The members share the messages of ${name}` :
		commit.holder ? `Member ${commit.holder} holds ${name}` : `Nobody holds ${name}`;
	if (commit.fault === 'expired') return [`${who}: the group committed offset ${number(commit.offset)}, but ${plural(p.start - commit.offset, 'message')} after it ${p.start - commit.offset === 1 ? 'was' : 'were'} deleted before the group read them.`, 'expired'];
	if (commit.fault === 'beyond') return [`${who}: the group committed offset ${number(commit.offset)}, but the log ends at ${number(p.end)}.`, 'beyond'];
	if (commit.offset < 0) return [`${who}, and the group has committed nothing here: its reset policy decides where it starts.`, 'nothing'];
	const by = commit.by && commit.by !== commit.holder ? ` (committed by member ${commit.by})` : '';
	if (commit.lag === 0) return [`${who}: the group has read and committed all of it, up to offset ${number(p.end)}${by}.`, commit.holder || shared ? 'committed' : 'unowned'];
	return [`${who}: the group has committed up to offset ${number(commit.offset)} of ${number(p.end)}${by}, and ${plural(commit.lag, 'message')} will be read, or read again after a crash.`, 'uncommitted'];
}

let drawn = '';

// drawAxis writes offsets above the lanes: in the middle of a block if messages are blocks.
function drawAxis(axis, scale, partitions, width, block) {
	const thin = partitions.length > compact;
	setHidden(axis, !scale || width === 0);
	if (!scale || width === 0) return;
	const key = `${scale.lo} ${scale.hi} ${Math.round(width)} ${thin}`;
	if (key === drawn) return;
	drawn = key;
	if (thin) {
		axis.replaceChildren(`Each lane goes from offset ${number(scale.lo)} to ${number(scale.hi)}.`);
		return;
	}
	const middle = block >= visibleBlock ? 0.5 : 0;
	const marks = ticks(scale, Math.max(2, Math.floor(width / 80))).map(offset => {
		const mark = make('span', {className: middle ? 'tick' : 'tick line'}, number(offset));
		mark.style.setProperty('--at', `${(offset + middle - scale.lo) / (scale.hi - scale.lo) * 100}%`);
		return mark;
	});
	axis.replaceChildren(make('span', {className: 'heads'}, 'lag'), make('span', {className: 'heads'}, 'end'), make('span', {className: 'marks'}, ...marks));
}
