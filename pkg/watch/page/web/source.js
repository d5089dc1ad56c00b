// Starts the page with the pictures of its server. In the playground, play.js is in its place.

import {show} from './page.js';
import {state} from './state.js';

const patience = 10000; // the server answers within 5 seconds

// next is the newest picture, as soon as it has another version, or null if there is none for some time.
async function next(version) {
	const answer = await fetch(`picture?after=${version}`, {signal: AbortSignal.timeout(patience)});
	if (!answer.ok) throw new Error(await answer.text());
	return answer.status === 200 ? answer.json() : null;
}

for (;;) {
	try {
		show(await next(state.version));
	} catch (error) {
		show(null, error.name === 'Error' ? error.message : 'The watch program does not answer. Trying again …');
		await new Promise(done => setTimeout(done, 1000));
	}
	while (document.hidden) await new Promise(shown => document.addEventListener('visibilitychange', shown, {once: true}));
}
