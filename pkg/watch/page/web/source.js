// Where the pictures come from: the server of this page. The playground has a file of this name, too.

const patience = 10000; // the server answers within 5 seconds

// next is the newest picture, as soon as it has another version, or null if there is none for some time.
export async function next(version) {
	const answer = await fetch(`picture?after=${version}`, {signal: AbortSignal.timeout(patience)});
	if (!answer.ok) throw new Error(await answer.text());
	return answer.status === 200 ? answer.json() : null;
}
