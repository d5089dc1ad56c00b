// Kafka runs here, beside the page, so that the page never waits for it.

const fail = ({message}) => postMessage(['problem', message]);
addEventListener('error', fail);
importScripts('wasm_exec.js');
console.log = text => globalThis.muted || postMessage(['printed', text]); // what Go prints

async function run() {
	if (!globalThis.DecompressionStream) throw new Error('This browser is too old. Use one of 2024 or newer.');
	const answer = await fetch('kafka.wasm.gz'), go = Object.assign(new Go(), {argv: ['program']});
	if (!answer.ok) throw new Error(`kafka.wasm.gz: ${answer.status} ${answer.statusText}`);
	const file = await answer.blob(), unpacked = file.stream().pipeThrough(new DecompressionStream('gzip'));
	const wasm = await new Response(unpacked).arrayBuffer().catch(() => file.arrayBuffer()); // a server may unpack it
	await go.run((await WebAssembly.instantiate(wasm, go.importObject)).instance);
	throw new Error('Kafka has ended. Reload the page to start again.');
}
run().catch(fail);
