// Kafka runs here, beside the page, so that the page never waits for it.
importScripts('wasm_exec.js');

const utf8 = new TextDecoder();
fs.writeSync = (_, bytes) => {
	if (!globalThis.muted) postMessage(['printed', utf8.decode(bytes)]);
	return bytes.length;
};

let seen = Date.now();
setInterval(() => { // a browser may stop a tab that nobody sees, or the machine sleeps
	const gap = Date.now() - seen;
	seen += gap;
	if (gap > 5000) postMessage(['slept', Math.round(gap / 1000)]);
}, 1000);

async function run() {
	const answer = await fetch('kafka.wasm.gz');
	if (!answer.ok) throw new Error(`kafka.wasm.gz: ${answer.status} ${answer.statusText}`);
	const file = await answer.blob();
	const [first] = new Uint8Array(await file.slice(0, 1).arrayBuffer());
	const packed = first === 0x1f; // some servers unpack a .gz on the way
	const stream = packed ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream();
	const go = new Go();
	go.argv = ['program'];
	const headers = {'Content-Type': 'application/wasm'};
	const {instance} = await WebAssembly.instantiateStreaming(new Response(stream, {headers}), go.importObject);
	await go.run(instance);
	throw new Error('Kafka has ended. Reload the page to start again.');
}
run().catch(error => postMessage(['ended', error.message]));
