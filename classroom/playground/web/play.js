// The bar: what a student does in sections 1 to 4.

import {byId, make, setText} from './dom.js';
import {visible} from './format.js';
import {state} from './state.js';
import {on, order} from './source.js';

const note = text => setText(byId('note'), text);
on('note', note);

// act makes Kafka do something. The lanes show the group of the last member that was started.
let wanted = null;
export function act({count, ...fields}) {
	if (fields.what === 'start') wanted = fields.group;
	note(document.querySelector(`#bar [value=${fields.what}]`).dataset.note ?? '');
	if (count > 1) fields.lines = Array.from({length: count}, (_, n) => `message ${n + 1}`).join('\n');
	order(fields);
}

on('picture', ({groups = [], problem = ''}) => {
	const play = byId('play');
	if (play.disabled || problem) note(''); // Kafka is loading
	play.disabled = problem !== '';
	if (groups.some(group => group.name === wanted)) [state.group, wanted] = [wanted, null];
});
const printed = byId('printed');
on('printed', text => {
	printed.append(...text.split('\n').slice(-8).map(line => make('li', {}, visible(line, 200))));
	while (printed.children.length > 8) printed.firstChild.remove();
});
byId('bar').addEventListener('submit', event => {
	event.preventDefault();
	act(Object.fromEntries(new FormData(event.target, event.submitter)));
});
byId('bar').addEventListener('change', ({target}) => {
	if (target.name === 'program') target.form.querySelector('a').href = `${target.value}/main.go.txt`;
});
