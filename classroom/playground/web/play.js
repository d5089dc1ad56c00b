// The bar: what a student does in sections 1 to 4.

import {byId, make, setText} from './dom.js';
import {visible} from './format.js';
import {state} from './state.js';
import {on, order} from './source.js';
import {startLesson} from './lesson.js';

const note = text => setText(byId('note'), text);
on('note', note);
on('ended', () => note(''));

// act makes Kafka do something. The lanes show the group of the last member that was started.
let wanted = null;
function act(what, {line, count, ...fields}) {
	if (what === 'start') wanted = fields.group;
	note(document.forms.run.elements[what]?.dataset.note ?? '');
	const lines = count > 1 ? Array.from({length: count}, (_, n) => `message ${n + 1}`).join('\n') : line;
	order(what, {lines, ...fields});
}
on('picture', ({groups}) => {
	if (groups.some(group => group.name === wanted)) [state.group, wanted] = [wanted, null];
	const disabled = document.querySelectorAll('#play :disabled'); // until Kafka is ready
	for (const button of disabled) button.disabled = false;
	if (disabled.length) note('');
});

const lines = byId('printed');
on('printed', text => {
	lines.append(...text.trimEnd().split('\n').slice(-8).map(line => make('li', {}, visible(line, 200))));
	while (lines.children.length > 8) lines.firstChild.remove();
});

const bar = byId('bar'), wide = matchMedia('(min-width: 40rem)'); // a phone has no room for the bar
wide.onchange = () => bar.open = wide.matches;
wide.onchange();
bar.addEventListener('submit', event => {
	event.preventDefault();
	const {name, value} = event.submitter;
	act(name, {count: value, ...Object.fromEntries(new FormData(event.target))});
});
bar.addEventListener('change', ({target}) => {
	const {program} = target.selectedOptions?.[0].dataset ?? {};
	if (program) target.form.querySelector('a').href = `${program}/main.go.txt`;
});
startLesson(act);
