// Where the pictures come from: Kafka in a worker of this tab.

const file = 'worker.js', trusted = globalThis.trustedTypes?.createPolicy('worker', {createScriptURL: () => file});
const worker = new Worker(trusted?.createScriptURL(file) ?? file);
const waiting = new Map(); // number of a question -> what to do with its answer
export const heard = new EventTarget(); // ready, printed, slept, ended, and picture

let asked = 0, ended = globalThis.DecompressionStream ? '' : 'This browser is too old for the playground. Use one of 2024 or newer.';
const ready = new Promise(done => ['ready', 'ended'].forEach(what => heard.addEventListener(what, done)));
worker.onerror = event => worker.onmessage({data: ['ended', `Kafka does not start: ${event.message}`]});
worker.onmessage = ({data: [what, detail, refused]}) => {
	if (what === 'ended') {
		ended = detail;
		for (const [, failed] of waiting.values()) failed(new Error(ended));
	}
	if (typeof what === 'string') return heard.dispatchEvent(new CustomEvent(what, {detail}));
	const [done, failed] = waiting.get(what);
	waiting.delete(what);
	if (refused) failed(new Error(detail));
	else done(detail);
};

// ask asks Kafka to do something, and returns its answer: a sentence.
export async function ask(What, fields) {
	if (!ended) await ready;
	if (ended) throw new Error(ended);
	return new Promise((...then) => {
		waiting.set(++asked, then);
		worker.postMessage(JSON.stringify({What, Number: asked, ...fields}));
	});
}

export async function next(Version) {
	const picture = JSON.parse(await ask('picture', {Version}));
	if (picture) setTimeout(() => heard.dispatchEvent(new CustomEvent('picture', {detail: picture})));
	return picture;
}
