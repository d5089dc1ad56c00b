// Explains an element in one sentence, on hover and on focus, with a link to the help page. Tab goes from
// the element to the link, Escape hides the sentence.

import {words} from '/words.js';
import {byId} from '/dom.js';

const own = new WeakMap(); // element -> function that returns [sentence, word]

// explain gives an element a sentence of its own.
export function explain(element, sentence) {
	own.set(element, sentence);
	element.dataset.explained = '';
	return element;
}

let shownFor = null, timer = 0;
const tip = byId('tip');

function show(element) {
	clearTimeout(timer);
	if (element === shownFor) return;
	hide();
	const [sentence, word] = own.get(element)?.() ?? [words[element.dataset.help].sentence, element.dataset.help];
	if (!sentence) return;
	tip.firstElementChild.textContent = sentence;
	tip.lastElementChild.href = `/help.html#${word}`;
	tip.hidden = false;
	shownFor = element;
	describedBy(element)?.setAttribute('aria-describedby', 'tip');
	place(element.getBoundingClientRect());
}

// describedBy is the element that has the focus when the sentence is read: the element, or what it contains.
const describedBy = element => element.tabIndex >= 0 ? element : element.querySelector('button');

function place(box) {
	const {offsetWidth: width, offsetHeight: height} = tip;
	const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
	const below = box.bottom + 6 + height < innerHeight || box.top < height + 6;
	tip.style.setProperty('--left', `${left}px`);
	tip.style.setProperty('--top', `${below ? box.bottom + 6 : box.top - height - 6}px`);
}

function hide() {
	clearTimeout(timer);
	if (!shownFor) return;
	describedBy(shownFor)?.removeAttribute('aria-describedby');
	shownFor = null;
	tip.hidden = true;
}

const later = (action, delay) => {
	clearTimeout(timer);
	timer = setTimeout(action, delay);
};

const explained = target => target instanceof Element ? target.closest('[data-help], [data-explained]') : null;

export function startTips() {
	document.addEventListener('mouseover', event => {
		if (tip.contains(event.target)) return clearTimeout(timer);
		const element = explained(event.target);
		if (element) later(() => show(element), shownFor ? 80 : 300);
		else later(hide, 300); // time to reach the link
	});
	document.addEventListener('focusin', event => {
		if (tip.contains(event.target)) return;
		const element = explained(event.target);
		if (element && event.target.matches(':focus-visible')) show(element);
		else hide();
	});
	document.addEventListener('click', event => {
		const element = explained(event.target);
		if (element?.matches('.term')) show(element); // a finger does not hover
	});
	document.addEventListener('keydown', event => {
		if (event.key === 'Escape') return hide();
		if (event.key !== 'Tab' || !shownFor) return;
		const owner = describedBy(shownFor);
		if (document.activeElement === tip.lastElementChild) {
			owner?.focus();                                // Tab continues from there
			if (event.shiftKey) event.preventDefault();
			else hide();
		} else if (!event.shiftKey && document.activeElement === owner) {
			event.preventDefault();
			tip.lastElementChild.focus();
		}
	});
	document.addEventListener('scroll', () => { // the browser scrolls to what gets the focus
		if (!shownFor) return;
		if ([describedBy(shownFor), tip.lastElementChild].includes(document.activeElement)) place(shownFor.getBoundingClientRect());
		else hide();
	}, {capture: true, passive: true});
}
