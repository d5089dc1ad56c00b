// Explains an element, on hover and on focus. Escape hides the explanation.

import {words} from './words.js';
import {byId} from './dom.js';

const own = new WeakMap(); // element -> function that returns a sentence, and the word that it is about

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
	const word = element.dataset.help, [sentence, about] = own.get(element)?.() ?? [words[word][0], word];
	tip.textContent = `${sentence} ${words[about][1]}`;
	tip.hidden = false;
	shownFor = element;
	element.setAttribute('aria-describedby', 'tip');
	place(element.getBoundingClientRect());
}

function place(box) {
	const {offsetWidth: width, offsetHeight: height} = tip;
	const below = box.bottom + 6 + height < innerHeight || box.top < height + 6;
	tip.style.setProperty('--left', `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`);
	tip.style.setProperty('--top', `${below ? box.bottom + 6 : box.top - height - 6}px`);
}

function hide() {
	clearTimeout(timer);
	shownFor?.removeAttribute('aria-describedby');
	shownFor = null;
	tip.hidden = true;
}

function later(action, delay) {
	clearTimeout(timer);
	timer = setTimeout(action, delay);
}

const explained = target => target instanceof Element ? target.closest('[data-help], [data-explained]') : null;

export function startTips() {
	document.addEventListener('mouseover', event => {
		if (tip.contains(event.target)) return clearTimeout(timer); // it can be read and copied
		const element = explained(event.target);
		if (element) later(() => show(element), shownFor ? 80 : 300);
		else later(hide, 300);
	});
	document.addEventListener('focusin', event => {
		const element = explained(event.target);
		if (element && event.target.matches(':focus-visible')) show(element);
		else hide();
	});
	document.addEventListener('click', event => {
		const element = explained(event.target);
		if (element?.matches('.term')) show(element); // a finger does not hover
	});
	document.addEventListener('keydown', event => {
		if (event.key === 'Escape') hide();
	});
	document.addEventListener('scroll', () => { // the browser scrolls to what gets the focus
		if (shownFor === document.activeElement) place(shownFor.getBoundingClientRect());
		else hide();
	}, {capture: true, passive: true});
}
