// Reads /events while the tab is visible, and connects again by itself. A browser allows six connections
// to a server, so a hidden tab must not hold one. fetch is used in place of EventSource, because it shows
// why the server refuses, and the heartbeats in which a dead connection is noticed.

const silence = 12000; // the server sends something every 5 seconds
const pause = 1000;    // between attempts

// stream calls receive(name, data) for each event, and report(problem) with a sentence, or '' when the
// stream is open.
export function stream(receive, report) {
	let last = '';          // identifier of the last event: the server continues after it
	let attempt = null;     // AbortController of the open stream
	let timer = 0;

	async function connect() {
		const abort = attempt = new AbortController();
		let watchdog = setTimeout(() => abort.abort(), silence);
		try {
			const answer = await fetch('/events', {headers: last ? {'Last-Event-ID': last} : {}, signal: abort.signal});
			if (!answer.ok) throw new Error((await answer.text()).trim());
			const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
			const parts = []; // of the block that is not complete
			for (;;) {
				const {done, value} = await reader.read();
				if (done) throw new TypeError();
				clearTimeout(watchdog);
				watchdog = setTimeout(() => abort.abort(), silence);
				const blocks = value.split('\n\n');
				for (const block of blocks.slice(0, -1)) {
					parts.push(block);
					dispatch(parts.splice(0).join(''));
				}
				if (blocks.at(-1)) parts.push(blocks.at(-1));
			}
		} catch (error) {
			if (attempt !== abort) return; // the tab was hidden
			report(error.name === 'Error' ? error.message : 'The watch program does not answer. Trying again …');
			timer = setTimeout(connect, pause);
		} finally {
			clearTimeout(watchdog);
		}
	}

	function dispatch(block) {
		let name = '', data = '';
		for (const line of block.split('\n')) {
			if (line.startsWith('id: ')) last = line.slice(4);
			else if (line.startsWith('event: ')) name = line.slice(7);
			else if (line.startsWith('data: ')) data = line.slice(6);
		}
		if (!data) return; // a heartbeat
		report('');
		receive(name, JSON.parse(data));
	}

	function changed() {
		if (document.hidden) {
			const open = attempt;
			attempt = null;
			clearTimeout(timer);
			open?.abort();
		} else if (!attempt) {
			connect();
		}
	}
	document.addEventListener('visibilitychange', changed);
	changed();
}
