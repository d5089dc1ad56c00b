// The top of the page: the topic, and what is wrong if something is.

import {chosen, state} from './state.js';
import {byId, setAttribute, setHidden, setText} from './dom.js';
import {clock, number, plural, rate, visible} from './format.js';

export function header() {
	const trouble = byId('trouble'), connection = byId('connection');
	return () => {
		const {name, partitions, rate: perSecond} = state.topic, group = chosen();
		const count = partitions.reduce((sum, p) => sum + p.end - p.start, 0);
		setText(byId('topic'), visible(name, 249));
		setText(byId('summary'), partitions.length === 0 ? '' :
			`${plural(partitions.length, 'partition')}, ${plural(count, 'offset')}, ${rate(perSecond)} per second`);
		document.title = name ? `${visible(name, 249)}${group ? `: lag ${number(group.lag)}` : ''}` : 'A topic, live';

		setAttribute(connection, 'class', state.problem || state.trouble ? 'stale' : 'live');
		setText(connection, state.problem ? 'not connected' : state.trouble ? `as of ${clock(state.time)}` : state.version ? 'live' : 'connecting');
		const lines = state.problem ? [state.problem] : state.trouble ?
			[`The picture is from ${clock(state.time)}: ${visible(state.trouble.error, 500)}`, visible(state.trouble.hint ?? '', 500)] : [];
		setHidden(trouble, lines.length === 0);
		setText(trouble, lines.filter(Boolean).join('\n'));
	};
}
