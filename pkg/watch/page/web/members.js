// A card for each member of the chosen group.

import {chosen, now} from './state.js';
import {byId, chip, make, setChip, setClass, setHidden, setText} from './dom.js';
import {ago, number, plural, ranges, rate, visible} from './format.js';
import {explain} from './tip.js';

export function members() {
	const list = byId('cards'), empty = list.nextElementSibling;

	function newCard() {
		const item = make('li', {tabIndex: 0}, chip(0), make('strong', {}, make('bdi', {})), make('span', {className: 'held'}),
			make('span', {className: 'quiet'}), make('span', {className: 'quiet host'}, make('bdi', {})));
		return explain(item, () => item.member.partitions.length ?
			[`Member ${item.member.number} reads ${plural(item.member.partitions.length, 'partition')}, and no other member of this group reads them.`, 'member'] :
			[`Each partition has one member at most, so member ${item.member.number} waits until another one leaves.`, 'idle']);
	}

	return () => {
		const group = chosen(), all = group?.members ?? [];
		while (list.children.length > all.length) list.lastChild.remove();
		while (list.children.length < all.length) list.append(newCard());
		all.forEach((member, i) => {
			const item = list.children[i];
			item.member = member;
			const [number, name, parts, speed, host] = item.children;
			setChip(number, member.number);
			setText(name.firstChild, visible(member.client, 80) || 'no client.id');
			setText(parts, held(member, group));
			setText(speed, figures(member));
			setText(host.firstChild, visible(member.host, 80));
		});
		setClass(list, all.length > 8 ? 'many' : '');
		setHidden(empty, all.length > 0);
		setText(empty, group ? 'The group has no members.' : 'A group has members as soon as a consumer starts.');
	};
}

function held({partitions, target}, group) {
	const going = target ? `, going to ${ranges(target) || 'none'}` : '';
	if (partitions.length) return `${partitions.length === 1 ? 'partition' : 'partitions'} ${ranges(partitions)}${going}`;
	if (going) return `no partitions${going}`;
	const [members, count] = [group.members.length, group.commits.length];
	return members > count && group.type !== 'share' ? `no partitions: ${number(members)} members share ${count}` : 'no partitions';
}

function figures(member) {
	if (!member.partitions.length) return '';
	const commit = !member.lastCommit ? 'no commit yet' : `committed ${ago(member.lastCommit, now())}`;
	return `${rate(member.rate)}/s, lag ${number(member.lag)}, ${commit}`;
}
