// Starts the page: each frame from the server changes the state, and the views draw what differs, at
// most once for each picture of the screen.

import {stream} from '/stream.js';
import {apply, state} from '/state.js';
import {startTips} from '/tip.js';
import {header} from '/header.js';
import {groups} from '/groups.js';
import {lanes} from '/lanes.js';
import {members} from '/members.js';
import {timeline} from '/timeline.js';
import {messages} from '/messages.js';
import {rates} from '/rate.js';

const views = [header, groups, lanes, members, timeline, messages, rates].map(start => start(draw));
let waiting = false;

function draw() {
	if (waiting) return;
	waiting = true;
	requestAnimationFrame(() => {
		waiting = false;
		for (const view of views) view();
	});
}

startTips();
stream((name, frame) => {
	apply(name, frame);
	draw();
}, problem => {
	if (state.problem === problem) return;
	state.problem = problem;
	draw();
});
setInterval(draw, 1000); // "3 s ago"
