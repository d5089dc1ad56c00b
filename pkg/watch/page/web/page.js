// The page: each picture replaces the last one, and the views draw what differs.

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

// show shows a newer picture, if there is one, or the problem with it.
export function show(picture, problem = '') {
	state.problem = problem;
	if (picture) take(picture);
	draw();
}
startTips();
