// Where the pictures come from: Kafka in a worker of this tab.

const file = 'worker.js', trusted = globalThis.trustedTypes?.createPolicy('worker', {createScriptURL: () => file});
const worker = new Worker(trusted?.createScriptURL(file) ?? file);
let picture = {version: 0}, ended = globalThis.DecompressionStream ? '' : 'This browser is too old for the playground. Use one of 2024 or newer.';

// on calls act with what the worker posts: a picture, what is printed, a note, and why it has ended.
export const on = (what, act) => worker.addEventListener('message', ({data}) => data[0] === what && act(data[1]));
export const order = (what, fields) => worker.postMessage(JSON.stringify({what, ...fields}));

on('picture', newest => picture = newest);
on('ended', reason => ended ||= reason);
worker.onerror = ({message}) => worker.dispatchEvent(new MessageEvent('message', {data: ['ended', `Kafka does not start: ${message}`]}));

// next is the newest picture, as soon as it has another version.
export async function next(version) {
	while (!ended && picture.version === version) await new Promise(heard => worker.addEventListener('message', heard, {once: true}));
	if (ended) throw new Error(ended);
	return picture;
}
