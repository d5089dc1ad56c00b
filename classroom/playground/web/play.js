// The bar: what a student does in sections 1 to 4.

import {byId, make, setText} from './dom.js';
import {visible} from './format.js';
import {state} from './state.js';
import {ask, heard} from './source.js';
import {startLesson} from './lesson.js';

const note = text => setText(byId('note'), text);
const on = (what, act) => heard.addEventListener(what, ({detail}) => act(detail));

// act does something, and shows its answer. The lanes show the group of the last member that was started.
let wanted = null;
async function act(what, fields) {
	if (what === 'start') wanted = fields.Group;
	note('');
	try {
		const answer = await ask(what, fields);
		if (answer) note(answer);
	} catch (error) {
		note(error.message);
		throw error;
	}
}
on('picture', ({groups}) => {
	if (!groups.some(group => group.name === wanted)) return;
	state.group = wanted;
	wanted = null;
});

const lines = byId('printed');
on('printed', text => {
	lines.append(...text.trimEnd().split('\n').slice(-8).map(line => make('li', {}, visible(line, 200))));
	while (lines.children.length > 8) lines.firstChild.remove();
});
on('slept', seconds => note(`The browser stopped this tab for ${seconds} seconds. So groups may have removed their members, which then join again.`));
on('ended', () => note(''));
on('ready', () => {
	note('');
	for (const button of document.querySelectorAll('#play :disabled')) button.disabled = false;
});

function form(name, fieldsOf) {
	const element = byId(name), link = element.querySelector('a');
	element.addEventListener('submit', event => {
		event.preventDefault();
		const {name: what, value} = event.submitter;
		act(what, fieldsOf(element.elements, Number(value))).catch(() => {});
	});
	element.addEventListener('change', () => {
		const select = element.querySelector('select');
		link.href = `${select.selectedOptions[0].dataset.program}/main.go.txt`;
	});
}
form('send', ({line, key}, Count) => ({Program: key.value === 'each' ? 'keys-producer' : 'producer', Line: line.value, Key: key.value, Count}));
form('run', ({group, program, time}) => ({Group: group.value, Program: program.value, StoreTime: Number(time.value)}));
const wide = matchMedia('(min-width: 40rem)'); // a phone has no room for the bar
wide.onchange = () => byId('bar').open = wide.matches;
wide.onchange();
startLesson(act, on);
