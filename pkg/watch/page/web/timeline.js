// What happened to the chosen group and to the topic, newest first. The server keeps it, so that it
// survives a reload.

import {state} from './state.js';
import {byId, chip, make, setHidden} from './dom.js';
import {clock, visible} from './format.js';

const word = {joined: 'member', left: 'member', committed: 'committed', reset: 'committed',
	'group new': 'group', 'group gone': 'group', lost: 'leader', back: 'leader'};

export function timeline(draw) {
	const list = byId('events'), commits = byId('commits'), empty = list.nextElementSibling;
	commits.addEventListener('change', draw);
	let shown = '', spoken = 0; // the choices and the newest event in the list; the newest one that was announced

	return () => {
		const last = state.events.at(-1)?.id ?? 0;
		const now = `${last} ${state.events[0]?.time} ${commits.checked} ${state.group}`;
		if (now === shown) return;
		shown = now;
		const rows = state.events.filter(event => (!event.group || event.group === state.group) && (event.kind !== 'committed' || commits.checked));
		list.replaceChildren(...rows.map(row).reverse());
		if (spoken) announce(rows.filter(event => event.id > spoken && event.kind !== 'committed').map(event => visible(event.text, 200)));
		spoken = last;
		setHidden(empty, rows.length > 0);
		setHidden(list, rows.length === 0);
	};
}

function row(event) {
	const signs = make('span', {className: 'signs', ariaHidden: 'true'});
	if (event.kind === 'moved') signs.append(chip(event.from ?? 0), '→', chip(event.to ?? 0));
	else if (event.from || event.to) signs.append(chip(event.to || event.from));
	const item = make('li', {}, make('time', {dateTime: event.time}, clock(event.time)), signs, make('bdi', {}, visible(event.text, 300)));
	item.dataset.help = Object.hasOwn(word, event.kind) ? word[event.kind] : 'rebalance';
	return item;
}

let waiting = [], timer = 0;

// announce gives new events to screen readers, at most every three seconds.
function announce(texts) {
	waiting.push(...texts);
	if (timer || !waiting.length) return;
	timer = setTimeout(() => {
		timer = 0;
		const more = waiting.length - 3;
		byId('announce').textContent = waiting.slice(-3).join('. ') + (more > 0 ? `, and ${more} earlier events` : '');
		waiting = [];
	}, 3000);
}
