// Chooses the group that the lanes show. Some stay in sight, the others are in a list.

import {state} from './state.js';
import {byId, make, setAttribute, setHidden, setText} from './dom.js';
import {number, plural, visible} from './format.js';
import {explain} from './tip.js';
import {words} from './words.js';

const inSight = 4;

export function groups(draw) {
	const nav = byId('groups');
	const tabs = make('div', {className: 'tabs'});
	const list = make('select', {});
	const more = make('label', {className: 'more'}, make('span', {}), list);
	nav.append(tabs, more);

	let others = [];
	function choose(name) {
		state.group = name;
		draw();
	}
	list.addEventListener('change', () => choose(others[list.value].name));

	function newTab() {
		const tab = make('button', {type: 'button'}, make('bdi', {}), make('span', {className: 'quiet'}));
		tab.addEventListener('click', () => choose(tab.group.name));
		return explain(tab, () => {
			const word = Object.hasOwn(words, tab.group.state) ? tab.group.state : 'group';
			return [words[word][0], word];
		});
	}

	let options = '';
	return () => {
		// Groups with members come first. What is in sight stays where it is when another one is chosen.
		const sorted = state.groups.toSorted((a, b) => (b.members.length > 0) - (a.members.length > 0));
		const shown = sorted.slice(0, inSight);
		if (state.group !== null && !shown.some(group => group.name === state.group)) {
			shown[inSight - 1] = state.groups.find(group => group.name === state.group);
		}
		while (tabs.children.length > shown.length) tabs.lastChild.remove();
		while (tabs.children.length < shown.length) tabs.append(newTab());
		shown.forEach((group, i) => {
			const tab = tabs.children[i];
			tab.group = group;
			setText(tab.firstChild, visible(group.name, 60));
			setText(tab.lastChild, summary(group));
			setAttribute(tab, 'aria-pressed', group.name === state.group);
		});
		others = sorted.filter(group => !shown.includes(group));
		setHidden(more, others.length === 0);
		setText(more.firstChild, plural(others.length, 'more group'));
		const wanted = others.map(group => group.name).join('\n');
		if (options === wanted) return;
		options = wanted;
		list.replaceChildren(make('option', {value: ''}, 'choose'), ...others.map((group, i) => make('option', {value: i}, visible(group.name, 60))));
	};
}

const summary = group => `${group.type}, ${visible(group.state, 40)}, ${plural(group.members.length, 'member')}, lag ${number(group.lag)}` +
	(group.epoch >= 0 ? `, epoch ${group.epoch}` : '');
