// What the page knows. Frames from the server change it; the views only read it, and set what is chosen.

const mostEvents = 1000, mostMessages = 500, seconds = 300;

export const state = {
	problem: '',        // why there is no stream; '' if there is one
	start: '',          // of the server: the numbers of its events begin again after a restart
	time: '',           // when the cluster answered
	topic: null,
	partitions: [],
	groups: new Map(),  // by name
	names: [],          // of the groups, in order
	trouble: null,
	events: [],         // oldest first
	messages: [],       // oldest first
	skipped: 0,         // messages that are not in messages, because there were too many
	rates: {end: 0, total: [], partitions: new Map()},

	group: null,        // name of the chosen group; null: none
	partition: null,    // number of the chosen partition; null: all
};

let received = 0;

// now is the time on the server's clock, which may differ from this machine's.
export const now = () => Date.parse(state.time) + performance.now() - received;

export const chosen = () => state.groups.get(state.group);

export function apply(name, frame) {
	const full = name === 'full';
	state.time = frame.time;
	received = performance.now();
	state.trouble = frame.trouble;
	state.names = frame.names;
	if (frame.topic) state.topic = frame.topic;
	if (frame.partitions !== undefined) state.partitions = frame.partitions ?? [];
	for (const [group, data] of Object.entries(frame.groups ?? {})) {
		data.members ??= [];
		data.commits ??= [];
		state.groups.set(group, data);
	}
	for (const group of state.groups.keys()) if (!state.names.includes(group)) state.groups.delete(group);
	if (full) {
		if (frame.start !== state.start) state.events = [];
		state.start = frame.start;
		state.messages = [];
		state.skipped = 0;
		state.rates.end = 0;
	}
	addEvents(frame.events ?? []);
	addMessages(frame.messages ?? []);
	if (frame.skipped) state.skipped += frame.skipped;
	if (frame.rates) addRates(frame.rates);
	choose();
}

function addEvents(events) {
	const last = state.events.at(-1)?.id ?? 0;
	state.events.push(...events.filter(event => event.id > last));
	state.events.splice(0, state.events.length - mostEvents);
}

const identity = m => `${m.partition} ${m.offset} ${m.time}`;
let known = new Set();

function addMessages(messages) {
	if (!state.messages.length) known = new Set();
	for (const message of messages) {
		const id = identity(message);
		if (known.has(id)) continue;
		known.add(id);
		state.messages.push(message);
	}
	for (const old of state.messages.splice(0, state.messages.length - mostMessages)) known.delete(identity(old));
}

function addRates(rates) {
	const end = Date.parse(rates.end);
	const fresh = state.rates.end ? Math.min(seconds, Math.round((end - state.rates.end) / 1000)) : seconds;
	if (fresh <= 0) return;
	const add = (old, more = []) => {
		more = more.slice(-fresh);
		return [...old, ...Array(fresh - more.length).fill(0), ...more].slice(-seconds);
	};
	if (fresh === seconds) state.rates = {end, total: [], partitions: new Map()};
	state.rates.end = end;
	state.rates.total = add(state.rates.total, rates.total ?? []);
	const partitions = rates.partitions ?? {};
	for (const p of new Set([...Object.keys(partitions).map(Number), ...state.rates.partitions.keys()])) {
		state.rates.partitions.set(p, add(state.rates.partitions.get(p) ?? Array(seconds).fill(0), partitions[p]));
	}
}

// choose keeps the chosen group, and otherwise takes one with members.
function choose() {
	if (state.groups.has(state.group)) return;
	const busy = state.names.find(name => state.groups.get(name).members.length);
	state.group = busy ?? state.names[0] ?? null;
}
