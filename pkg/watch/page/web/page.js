// Starts the page: each picture from the server replaces the last one, and the views draw what differs.

import {state, take} from '/state.js';
import {startTips} from '/tip.js';
import {header} from '/header.js';
import {groups} from '/groups.js';
import {lanes} from '/lanes.js';
import {members} from '/members.js';
import {timeline} from '/timeline.js';
import {messages} from '/messages.js';

const patience = 10000; // the server answers within 5 seconds
const views = [header, groups, lanes, members, timeline, messages].map(start => start(draw));
let waiting = false;

function draw() { // at most once for each picture of the screen
	if (waiting) return;
	waiting = true;
	requestAnimationFrame(() => {
		waiting = false;
		for (const view of views) view();
	});
}

startTips();
for (;;) {
	try {
		const answer = await fetch(`/picture?after=${state.version}`, {signal: AbortSignal.timeout(patience)});
		if (!answer.ok) throw new Error(await answer.text());
		state.problem = '';
		if (answer.status === 200) take(await answer.json());
		draw();
	} catch (error) {
		state.problem = error.name === 'Error' ? error.message : 'The watch program does not answer. Trying again …';
		draw();
		await new Promise(done => setTimeout(done, 1000));
	}
	while (document.hidden) await new Promise(shown => document.addEventListener('visibilitychange', shown, {once: true}));
}
