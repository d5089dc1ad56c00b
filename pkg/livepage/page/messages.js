// The newest messages, newest first, with the member that held the partition when each arrived.

import {state} from '/state.js';
import {byId, chip, make, setAttribute, setHidden, setText} from '/dom.js';
import {bytes, clock, number, plural, visible} from '/format.js';

const most = 16;      // in the table
const every = 200;    // milliseconds between two changes of the table, so that it can be read
const longest = 300;  // characters of a key or value

export function messages(draw) {
	const body = byId('rows'), partition = byId('only-partition'), key = byId('only-key'), pause = byId('pause');
	const table = body.parentElement, empty = table.nextElementSibling, sampled = byId('sampled');
	let paused = null;   // while the table stands still: the messages in it
	let shown = [];      // what the table has, newest first
	let choices = '';    // what it was made of
	let changed = 0, timer = 0;

	partition.addEventListener('change', () => {
		state.partition = partition.value === '' ? null : Number(partition.value);
		draw();
	});
	key.addEventListener('input', draw);
	pause.addEventListener('click', () => {
		paused = paused ? null : state.messages.slice();
		setAttribute(pause, 'aria-pressed', paused !== null);
		changed = 0;
		draw();
	});

	const wanted = message => (state.partition === null || message.partition === state.partition) &&
		(!key.value || (message.key ?? '').includes(key.value));

	return () => {
		drawPartitions(partition);
		setText(pause, paused ? `continue (${number(state.messages.filter(m => !paused.includes(m)).length)} new)` : 'pause');
		const now = `${state.partition} ${key.value} ${state.group}`;
		const wait = changed + every - performance.now();
		if (now === choices && wait > 0) {
			timer ||= setTimeout(() => { timer = 0; draw(); }, wait);
			return;
		}
		if (now !== choices) {
			choices = now;
			shown = [];
			body.replaceChildren();
		}
		const next = (paused ?? state.messages).filter(wanted).slice(-most).reverse();
		setHidden(table, next.length === 0);
		setHidden(empty, next.length > 0);
		setText(empty, state.messages.length ? 'No message matches.' : 'No message has arrived yet.');
		setHidden(sampled, state.skipped === 0);
		setText(sampled, `This is a sample: ${plural(state.skipped, 'more message')} arrived too quickly to show.`);
		if (next.length === shown.length && next[0] === shown[0]) return;
		changed = performance.now();
		const old = new Set(shown);
		const fresh = next.filter(message => !old.has(message));
		if (next.length && !next.some(message => old.has(message))) body.replaceChildren();
		body.prepend(...fresh.map(row));
		while (body.children.length > next.length) body.lastChild.remove();
		shown = next;
	};
}

function row(message) {
	const holder = message.holders?.[state.group] ?? 0;
	const value = make('td', {className: 'value'}, make('bdi', {}, visible(message.value, longest)));
	const left = Math.max(0, message.value.length - longest) + (message.cut ?? 0);
	if (left > 0) value.append(make('span', {className: 'quiet'}, ` … ${bytes(left)} more`));
	return make('tr', {},
		make('td', {}, make('time', {dateTime: message.time}, clock(message.time))),
		make('td', {className: 'figure'}, message.partition),
		make('td', {className: 'figure'}, number(message.offset)),
		make('td', {}, chip(holder)),
		make('td', {className: 'key'}, message.key === null ? make('span', {className: 'quiet'}, 'none') : make('bdi', {}, visible(message.key, longest / 4))),
		value);
}

function drawPartitions(select) {
	const count = state.partitions.length;
	if (select.options.length !== count + 1) {
		select.replaceChildren(make('option', {value: ''}, 'all'), ...state.partitions.map(p => make('option', {value: p.partition}, p.partition)));
	}
	const value = String(state.partition ?? '');
	if (select.value !== value) select.value = value;
}
