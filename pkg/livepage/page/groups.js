// Chooses the group that the lanes show. Some stay in sight, the others are in a list.

import {state} from '/state.js';
import {byId, make, setAttribute, setHidden, setText} from '/dom.js';
import {number, plural, visible} from '/format.js';
import {explain} from '/tip.js';
import {words} from '/words.js';

const inSight = 4;

export function groups(draw) {
	const nav = byId('groups');
	const tabs = make('div', {className: 'tabs'});
	const list = make('select', {});
	const more = make('label', {className: 'more'}, make('span', {}), list);
	nav.append(tabs, more);

	function choose(name) {
		state.group = name;
		draw();
	}
	list.addEventListener('change', () => choose(state.names[list.value]));

	function newTab() {
		const tab = make('button', {type: 'button'}, make('bdi', {}), make('span', {className: 'quiet'}));
		tab.addEventListener('click', () => choose(tab.name));
		return explain(tab, () => {
			const {state: now} = state.groups.get(tab.name) ?? {};
			return words[now] ? [words[now].sentence, now] : [words.group.sentence, 'group'];
		});
	}

	// Groups with members come first. What is in sight stays where it is when another one is chosen.
	function sorted() {
		const busy = name => state.groups.get(name).members.length > 0;
		return [...state.names.filter(busy), ...state.names.filter(name => !busy(name))];
	}

	let options = '';
	return () => {
		const names = sorted();
		const shown = names.slice(0, inSight);
		if (state.group !== null && !shown.includes(state.group)) shown[inSight - 1] = state.group;
		while (tabs.children.length > shown.length) tabs.lastChild.remove();
		while (tabs.children.length < shown.length) tabs.append(newTab());
		shown.forEach((name, i) => {
			const tab = tabs.children[i], group = state.groups.get(name);
			tab.name = name;
			setText(tab.firstChild, visible(name, 60));
			setText(tab.lastChild, summary(group));
			setAttribute(tab, 'aria-pressed', name === state.group);
		});
		const others = names.filter(name => !shown.includes(name));
		setHidden(more, others.length === 0);
		setText(more.firstChild, plural(others.length, 'more group'));
		const wanted = others.join('\n');
		if (options !== wanted) {
			options = wanted;
			list.replaceChildren(make('option', {value: ''}, 'choose'),
				...others.map(name => make('option', {value: state.names.indexOf(name)}, visible(name, 60))));
		}
	};
}

const summary = group => `${group.type}, ${visible(group.state, 40)}, ${plural(group.members.length, 'member')}, lag ${number(group.lag)}` +
	(group.epoch >= 0 ? `, epoch ${group.epoch}` : '');
