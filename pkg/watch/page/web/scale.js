// The scale of the lanes: which offsets are at the left and at the right.

// nice is the smallest round number that is not below n.
function nice(n) {
	for (let power = 10; ; power *= 10) {
		for (const step of [1, 1.5, 2, 3, 4, 5, 6, 8]) if (step * power >= n) return step * power;
	}
}

// common is one scale for all lanes. It begins at 0, as a log does, unless most of that was deleted.
export function common(partitions) {
	const end = Math.max(...partitions.map(p => p.end)), start = Math.min(...partitions.map(p => p.start));
	if (start <= end / 2) return {lo: 0, hi: nice(end)};
	const length = nice(end - start);
	const lo = Math.floor(start / (length / 10)) * (length / 10);
	return {lo, hi: Math.max(lo + length, nice(end - lo) + lo)};
}

// own is the scale of one lane: its log fills it.
export const own = ({start, end}) => ({lo: start, hi: Math.max(end, start + 1)});

// ticks are offsets to write above the lanes, at most so many.
export function ticks({lo, hi}, most) {
	let step = 1;
	for (let power = 1; (hi - lo) / step > most; power *= 10) {
		for (const n of [1, 2, 5]) {
			step = n * power;
			if ((hi - lo) / step <= most) break;
		}
	}
	const all = [];
	for (let offset = Math.ceil(lo / step) * step; offset < hi; offset += step) all.push(offset);
	return all;
}
