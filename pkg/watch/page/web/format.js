// Turns numbers, times and foreign text into text to read.

const english = new Intl.NumberFormat('en');

export const number = n => english.format(n);

export const plural = (n, noun) => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;

// rate is messages per second.
export const rate = r => number(r >= 9.95 || r === 0 ? Math.round(r) : Math.max(0.1, Math.round(r * 10) / 10));

// ranges makes 0-7,9 of partitions in order.
export function ranges(list) {
	const runs = [];
	for (const n of list) {
		const last = runs.at(-1);
		if (last && last[1] + 1 === n) last[1] = n;
		else runs.push([n, n]);
	}
	return runs.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`).join(',');
}

const hours = new Intl.DateTimeFormat('en-GB', {timeStyle: 'medium'});

export const clock = time => hours.format(new Date(time));

export function ago(time, now) {
	const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
	if (seconds < 2) return 'now';
	if (seconds < 60) return `${seconds} s ago`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
	return `${Math.floor(seconds / 3600)} h ago`;
}

// Characters that move or hide others: controls, line separators, marks that change the direction of
// text, and marks without a width. They are shown as \x1b or \u202e.
const unseen = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Surrogate}/gu;

// visible is foreign text, at most so many characters of it, in which nothing is hidden.
export function visible(text, most) {
	let shown = text.slice(0, most);
	if (text.length > most) shown = shown.replace(/[\ud800-\udbff]$/, '');
	return shown.replace(unseen, c => {
		if (c === '\n') return '\\n';
		if (c === '\t') return '\\t';
		const code = c.codePointAt(0).toString(16);
		return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
	});
}

// bytes is a size to read.
export function bytes(n) {
	if (n < 1000) return `${n} bytes`;
	if (n < 1e6) return `${number(Math.round(n / 1000))} kB`;
	return `${number(Math.round(n / 1e5) / 10)} MB`;
}
