// What happened to the chosen group and to the topic, newest first. The server keeps it, so that it
// survives a reload.

import {state} from '/state.js';
import {byId, chip, make, setHidden} from '/dom.js';
import {clock, number, visible} from '/format.js';

const most = 200; // in the list

const word = {joined: 'member', left: 'member', committed: 'committed', reset: 'committed', 'topic gone': 'topic', 'topic anew': 'topic',
	'group new': 'group', 'group gone': 'group', lost: 'leader', back: 'leader'};

export function timeline(draw) {
	const list = byId('events'), commits = byId('commits'), empty = list.nextElementSibling;
	commits.addEventListener('change', draw);
	const announce = announcer(byId('announce'));
	let shown = '', newest = 0; // what the list was made of: the start of the server and the choices; its newest event

	const wanted = event => (!event.group || event.group === state.group) && (event.kind !== 'committed' || commits.checked);

	return () => {
		const now = `${state.start} ${commits.checked} ${state.group}`;
		const anew = now !== shown;
		if (anew) {
			shown = now;
			newest = 0;
			list.replaceChildren();
		}
		const last = state.events.at(-1)?.id ?? 0;
		if (last === newest) return;
		const fresh = state.events.filter(event => event.id > newest);
		const missing = newest && fresh[0].id > newest + 1 ? fresh[0].id - newest - 1 : 0;
		if (missing) list.prepend(make('li', {className: 'quiet'}, `${number(missing)} events are missing here`));
		newest = last;
		const rows = fresh.filter(wanted).slice(-most);
		for (const event of rows) list.prepend(row(event));
		while (list.children.length > most) list.lastChild.remove();
		if (!anew) announce(rows.filter(event => event.kind !== 'committed').map(event => visible(event.text, 200)));
		setHidden(empty, list.children.length > 0);
		setHidden(list, list.children.length === 0);
	};
}

function row(event) {
	const signs = make('span', {className: 'signs', ariaHidden: 'true'});
	if (event.kind === 'moved') signs.append(chip(event.from ?? 0), '→', chip(event.to ?? 0));
	else if (event.from || event.to) signs.append(chip(event.to || event.from));
	const item = make('li', {}, make('time', {dateTime: event.time}, clock(event.time)), signs, make('bdi', {}, visible(event.text, 300)));
	item.dataset.help = word[event.kind] ?? 'rebalance';
	return item;
}

// announcer gives new events to screen readers, at most every three seconds.
function announcer(element) {
	let waiting = [], timer = 0;
	return texts => {
		waiting.push(...texts);
		if (timer || !waiting.length) return;
		timer = setTimeout(() => {
			timer = 0;
			const more = waiting.length - 3;
			element.textContent = waiting.slice(-3).join('. ') + (more > 0 ? `, and ${more} earlier events` : '');
			waiting = [];
		}, 3000);
	};
}
