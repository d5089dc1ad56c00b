// Where the pictures come from: Kafka in a worker of this tab.

const file = 'worker.js', trusted = globalThis.trustedTypes?.createPolicy('worker', {createScriptURL: () => file});
const worker = new Worker(trusted?.createScriptURL(file) ?? file);
let picture = {version: 0};

// on calls act with what the worker posts: a picture, what is printed, and a note.
export const on = (what, act) => worker.addEventListener('message', ({data}) => data[0] === what && act(data[1]));
export const order = fields => worker.postMessage(JSON.stringify(fields));
on('picture', newest => picture = newest);

// next is the newest picture, as soon as it has another version.
export async function next(version) {
	while (picture.version === version) await new Promise(heard => worker.addEventListener('message', heard, {once: true}));
	return picture;
}
