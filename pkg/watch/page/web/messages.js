// The newest messages, newest first, with the member that held the partition when each arrived.

import {state} from './state.js';
import {byId, chip, make, setAttribute, setHidden, setText} from './dom.js';
import {bytes, clock, number, visible} from './format.js';

const most = 16;     // in the table
const longest = 300; // characters of a key or value

export function messages(draw) {
	const body = byId('rows'), partition = byId('only-partition'), key = byId('only-key'), pause = byId('pause');
	const table = body.parentElement, empty = table.nextElementSibling;
	let paused = null; // while the table stands still: the messages in it
	let shown = '';

	partition.addEventListener('change', () => {
		state.partition = partition.value === '' ? null : Number(partition.value);
		draw();
	});
	key.addEventListener('input', draw);
	pause.addEventListener('click', () => {
		paused = paused ? null : state.messages;
		setAttribute(pause, 'aria-pressed', paused !== null);
		setText(pause, paused ? 'continue' : 'pause');
		draw();
	});

	const wanted = message => (state.partition === null || message.partition === state.partition) &&
		(!key.value || (message.key ?? '').includes(key.value));

	return () => {
		drawPartitions(partition);
		const next = (paused ?? state.messages).filter(wanted).slice(-most).reverse();
		setHidden(table, next.length === 0);
		setHidden(empty, next.length > 0);
		setText(empty, state.messages.length ? 'No message matches.' : 'No message has arrived yet.');
		const now = `${state.group} ${next.map(message => `${message.partition} ${message.offset} ${message.time}`)}`;
		if (now === shown) return;
		shown = now;
		body.replaceChildren(...next.map(row));
	};
}

function row(message) {
	const value = make('td', {className: 'value'}, make('bdi', {}, visible(message.value, longest)));
	const left = Math.max(0, message.value.length - longest) + (message.cut ?? 0);
	if (left > 0) value.append(make('span', {className: 'quiet'}, ` … ${bytes(left)} more`));
	return make('tr', {},
		make('td', {}, make('time', {dateTime: message.time}, clock(message.time))),
		make('td', {className: 'figure'}, message.partition),
		make('td', {className: 'figure'}, number(message.offset)),
		make('td', {}, chip(Object.hasOwn(message.holders, state.group) ? message.holders[state.group] : 0)),
		make('td', {className: 'key'}, message.key === null ? make('span', {className: 'quiet'}, 'none') : make('bdi', {}, visible(message.key, longest / 4))),
		value);
}

function drawPartitions(select) {
	const {partitions} = state.topic;
	if (select.options.length !== partitions.length + 1) {
		select.replaceChildren(make('option', {value: ''}, 'all'), ...partitions.map((_, i) => make('option', {value: i}, i)));
	}
	const value = String(state.partition ?? '');
	if (select.value !== value) select.value = value;
}
