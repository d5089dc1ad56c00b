// Kafka runs here, beside the page, so that the page never waits for it.
importScripts('wasm_exec.js');

const utf8 = new TextDecoder();
fs.writeSync = (_, bytes) => {
	if (!globalThis.muted) postMessage(['printed', utf8.decode(bytes)]);
	return bytes.length;
};

let seen = Date.now();
setInterval(() => { // a browser may stop a tab that nobody sees, or the machine sleeps
	const seconds = Math.round((Date.now() - seen) / 1000);
	seen = Date.now();
	if (seconds > 5) postMessage(['note', `The browser stopped this tab for ${seconds} seconds. So groups may have removed their members, which then join again.`]);
}, 1000);

async function run() {
	const answer = await fetch('kafka.wasm.gz'), go = Object.assign(new Go(), {argv: ['program']});
	if (!answer.ok) throw new Error(`kafka.wasm.gz: ${answer.status} ${answer.statusText}`);
	const file = await answer.blob(), [first] = new Uint8Array(await file.slice(0, 1).arrayBuffer());
	const packed = first === 0x1f; // some servers unpack a .gz on the way
	const stream = packed ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream();
	const wasm = new Response(stream, {headers: {'Content-Type': 'application/wasm'}});
	await go.run((await WebAssembly.instantiateStreaming(wasm, go.importObject)).instance);
	throw new Error('Kafka has ended. Reload the page to start again.');
}
run().catch(error => postMessage(['ended', error.message]));
