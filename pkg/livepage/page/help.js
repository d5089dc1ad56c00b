// The help page: every word of the live page, with its section of the tutorial.

import {words} from '/words.js';
import {make} from '/dom.js';

const main = document.querySelector('#words');
for (const [id, {title, section, sentence, more}] of Object.entries(words)) {
	const article = make('section', {id, tabIndex: -1}, make('h2', {}, title), make('p', {}, sentence));
	if (more) article.append(make('p', {}, more));
	article.append(make('p', {className: 'quiet'}, `README.md: ${section}`));
	main.append(article);
}
// The sections did not exist when the browser looked for the one that the address names.
const wanted = document.getElementById(location.hash.slice(1));
if (wanted) {
	wanted.scrollIntoView();
	wanted.focus();
}
