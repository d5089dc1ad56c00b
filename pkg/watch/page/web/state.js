// What the page knows: the newest picture from the server, and what is chosen. The views only read the picture.

export const state = {
	version: 0, time: '', topic: {name: '', partitions: [], rate: 0}, groups: [], events: [], messages: [], trouble: null,
	problem: '',     // why there is no newer picture; '' if there is one
	group: null,     // name of the chosen group; null: none
	partition: null, // number of the chosen partition; null: all
};

let received = 0;

export function take(picture) {
	Object.assign(state, picture);
	received = performance.now();
	if (!chosen()) state.group = (state.groups.find(group => group.members.length) ?? state.groups[0])?.name ?? null;
	if (!(state.partition in state.topic.partitions)) state.partition = null;
}

// now is the time on the server's clock, which may differ from this machine's.
export const now = () => state.version + performance.now() - received;

export const chosen = () => state.groups.find(group => group.name === state.group);
