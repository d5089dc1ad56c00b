// Makes elements, and changes only what differs. Text from the cluster gets into the page here alone, as
// text and never as markup.

export function make(tag, properties, ...children) {
	const element = Object.assign(document.createElement(tag), properties);
	element.append(...children);
	return element;
}

// chip is the sign of a member: its number on its colour.
export function chip(number) {
	return setChip(make('span', {}), number);
}

export function setChip(element, number) {
	return setText(setClass(element, `chip ${colour(number)}`), number || '–');
}

// colour is the class of a member's colour. There are eight; the number is different for every member.
export function colour(number) {
	return number ? `m${(number - 1) % 8 + 1}` : 'nobody';
}

export function setText(element, text) {
	text = String(text);
	if (element.shown !== text) {
		element.shown = text;
		element.textContent = text;
	}
	return element;
}

export function setClass(element, name) {
	if (element.className !== name) element.className = name;
	return element;
}

export function setHidden(element, hidden) {
	if (element.hidden !== hidden) element.hidden = hidden;
}

export function setAttribute(element, name, value) {
	value = String(value);
	if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// setStyle remembers the value: to read it from the style is slow, and to set it again costs a recalculation.
export function setStyle(element, property, value) {
	element.styles ??= {};
	if (element.styles[property] === value) return;
	element.styles[property] = value;
	element.style.setProperty(property, value);
}

export const byId = id => document.getElementById(id);
