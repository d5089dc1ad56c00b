// Starts the page: each picture from the server replaces the last one, and the views draw what differs.

import {next} from './source.js';
import {state, take} from './state.js';
import {startTips} from './tip.js';
import {header} from './header.js';
import {groups} from './groups.js';
import {lanes} from './lanes.js';
import {members} from './members.js';
import {timeline} from './timeline.js';
import {messages} from './messages.js';

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
		const picture = await next(state.version);
		state.problem = '';
		if (picture) take(picture);
		draw();
	} catch (error) {
		state.problem = error.name === 'Error' ? error.message : 'The watch program does not answer. Trying again …';
		draw();
		await new Promise(done => setTimeout(done, 1000));
	}
	while (document.hidden) await new Promise(shown => document.addEventListener('visibilitychange', shown, {once: true}));
}
