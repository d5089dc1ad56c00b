// A card for each member of the chosen group.

import {chosen, now, state} from '/state.js';
import {byId, chip, make, setChip, setClass, setHidden, setText} from '/dom.js';
import {ago, number, plural, ranges, rate, visible} from '/format.js';
import {explain} from '/tip.js';

export function members() {
	const list = byId('cards'), empty = list.nextElementSibling;
	const cards = new Map(); // by the member's identifier

	function newCard(id) {
		const item = make('li', {tabIndex: 0}, chip(0), make('strong', {}, make('bdi', {})), make('span', {className: 'held'}),
			make('span', {className: 'quiet'}), make('span', {className: 'quiet host'}, make('bdi', {})));
		const [number, name, held, figures, host] = item.children;
		const card = {item, number, name: name.firstChild, held, figures, host: host.firstChild, member: null};
		explain(item, () => card.member.partitions?.length ?
			[`Member ${card.member.number} reads ${plural(card.member.partitions.length, 'partition')}, and no other member of this group reads them.`, 'member'] :
			[`Each partition has one member at most, so member ${card.member.number} waits until another one leaves.`, 'idle']);
		cards.set(id, card);
		return card;
	}

	let counted = 0; // when the figures were drawn: twice a second is enough to read them

	return () => {
		const group = chosen();
		const count = performance.now() - counted > 450;
		if (count) counted = performance.now();
		const all = group?.members ?? [];
		for (const [id, card] of cards) {
			if (all.some(member => member.id === id)) continue;
			card.item.remove();
			cards.delete(id);
		}
		all.forEach((member, i) => {
			const card = cards.get(member.id) ?? newCard(member.id);
			if (list.children[i] !== card.item) list.insertBefore(card.item, list.children[i] ?? null);
			card.member = member;
			setChip(card.number, member.number);
			setText(card.name, visible(member.client, 80) || 'no client.id');
			setText(card.host, visible(member.host, 80));
			setText(card.held, held(member, group));
			if (count || !card.figures.shown || !member.partitions?.length) setText(card.figures, figures(member));
		});
		setClass(list, all.length > 8 ? 'many' : '');
		setHidden(empty, all.length > 0);
		setText(empty, group ? 'The group has no members.' : 'A group has members as soon as a consumer starts.');
	};
}

function held(member, group) {
	const partitions = member.partitions ?? [];
	const target = member.target ? `, going to ${ranges(member.target) || 'none'}` : '';
	if (partitions.length) return `${partitions.length === 1 ? 'partition' : 'partitions'} ${ranges(partitions)}${target}`;
	if (target) return `no partitions${target}`;
	const [members, count] = [group.members.length, state.partitions.length];
	return members > count && group.type !== 'share' ? `no partitions: ${number(members)} members share ${count}` : 'no partitions';
}

function figures(member) {
	if (!member.partitions?.length) return '';
	const commit = !member.lastCommit ? 'no commit yet' : `committed ${ago(member.lastCommit, now())}`;
	return `${rate(member.rate)}/s, lag ${number(member.lag)}, ${commit}`;
}
