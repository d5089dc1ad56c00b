// One sentence above the lanes: who holds what, and how far has the group come? If there is nothing to
// see, the commands that change this.

import {state} from './state.js';
import {make, setHidden} from './dom.js';
import {number, plural, visible} from './format.js';

export function headline(group) {
	if (!state.version) return '';
	if (!group) return 'No group reads this topic yet.';
	const members = group.members.length, count = group.commits.length;
	// The lag counts only the partitions with a committed offset.
	const without = group.commits.filter((c, n) => c.offset < 0 && state.topic.partitions[n]?.end > state.topic.partitions[n]?.start).length;
	const lag = group.lag > 0 ? `the lag is ${number(group.lag)}` : group.commits.every(c => c.offset < 0) ? 'nothing is committed yet' :
		without > 0 ? `nothing is committed in ${plural(without, 'partition')}` : 'everything is committed';
	if (group.type === 'share') return `${plural(members, 'member')} share${members === 1 ? 's' : ''} the messages; ${lag}.`;
	const held = group.commits.filter(c => c.holder).length;
	const who = members === 0 ? 'The group has no members' :
		held === 0 ? `${plural(members, 'member')}, and nobody holds a partition` :
		members === 1 ? `1 member holds ${count === 1 ? 'the partition' : `${held === count ? 'all' : `${held} of`} ${number(count)} partitions`}` :
		`${number(members)} members share ${held === count ? '' : `${held} of `}${plural(count, 'partition')}`;
	return `${who}; ${lag}.`;
}

let shown = '';

// lesson shows what to type to see something.
export function lesson(element, group) {
	const name = visible(state.topic.name, 249);
	let parts = [];
	if (!state.version) {
		parts = [];
	} else if (state.topic.partitions.every(p => p.end === 0)) {
		parts = ['The topic is empty. Send a message: ', `go run ./producer ${name}`];
	} else if (!group) {
		parts = ['Start a member of a group: ', `go run ./consumergroup/consumer ${name} my_group`];
	} else if (group.members.length === 0 && /^[\w.-]+$/.test(group.name)) {
		parts = ['Its committed offsets are kept: a member continues there. Start one: ', `go run ./consumergroup/consumer ${name} ${group.name}`];
	}
	setHidden(element, parts.length === 0);
	if (shown === parts.join()) return;
	shown = parts.join();
	element.replaceChildren(...parts.map((part, i) => i % 2 ? make('code', {}, part) : part));
}
