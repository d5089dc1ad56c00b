// Messages per second over five minutes, of the topic or of the chosen partition, as one path.

import {state} from '/state.js';
import {byId, make, setAttribute, setText, svg} from '/dom.js';
import {number, rate} from '/format.js';

const seconds = 300;

export function rates() {
	const graph = byId('graph');
	const area = svg('path', {class: 'area'}), line = svg('path', {class: 'line'});
	const picture = svg('svg', {viewBox: `0 0 ${seconds - 1} 100`, preserveAspectRatio: 'none', 'aria-hidden': 'true'});
	picture.append(svg('path', {class: 'grid', d: `M0 50H${seconds - 1}M0 0H${seconds - 1}`}), area, line, svg('path', {class: 'base', d: `M0 100H${seconds - 1}`}));
	const [top, middle] = [make('span', {className: 'top'}), make('span', {className: 'middle'})];
	graph.append(picture, top, middle, make('span', {className: 'from'}, '5 minutes ago'), make('span', {className: 'to'}, 'now'));
	graph.dataset.help = 'rate';
	let drawn = '';

	return () => {
		const {end, total, partitions} = state.rates;
		const key = `${end} ${state.partition}`;
		const current = state.partition === null ? state.partitions.reduce((sum, p) => sum + p.rate, 0) :
			state.partitions.find(p => p.partition === state.partition)?.rate ?? 0;
		const whose = state.partition === null ? 'all partitions' : `partition ${state.partition}`;
		setText(byId('rate-of'), `${whose}: ${rate(current)} now`);
		if (key === drawn) return;
		drawn = key;
		const values = state.partition === null ? total : partitions.get(state.partition) ?? Array(seconds).fill(0);
		const highest = Math.max(0, ...values), most = nice(Math.max(2, highest));
		setText(top, number(most));
		setText(middle, number(most / 2));
		setAttribute(graph, 'aria-label', `Messages per second, ${whose}: ${rate(current)} now, at most ${number(highest)} in the last five minutes`);
		const d = values.map((v, i) => `${i ? 'L' : 'M'}${i} ${Math.round((100 - v / most * 100) * 10) / 10}`).join('');
		setAttribute(line, 'd', d);
		setAttribute(area, 'd', d && `${d}V100H0Z`);
	};
}

// nice is the smallest even round number that is not below n.
function nice(n) {
	for (let power = 1; ; power *= 10) {
		for (const step of [2, 4, 6, 10]) if (step * power >= n) return step * power;
	}
}
