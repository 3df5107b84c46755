// network.js: whether the server can be reached at all: one probe asks for all files that wait.

const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between tries

// Not all at the same moment: whoever lost the server together would come back together.
export const backoff = (tries) => 1000 * WAITS[Math.min(tries, WAITS.length - 1)] * (0.75 + Math.random() / 2);

export class Network {
	// probe(): true when the server answers; hooks: onchange() when it is lost, tried again, back
	constructor(probe, onchange) {
		Object.assign(this, { probe, onchange, lost: false, nextAt: 0, wake: () => {} });
		addEventListener("online", () => this.wake());
	}

	// Until it answers; whoever is in a hurry may wake it.
	async wait() {
		if (this.lost) return;
		this.lost = true;
		for (let tries = 0; ; tries++) {
			await this.rest(backoff(tries));
			if (await this.probe()) break;
		}
		this.lost = false;
		this.onchange();
	}

	rest(ms) {
		this.nextAt = performance.now() + ms;
		this.onchange();
		return new Promise((resolve) => {
			this.wake = resolve;
			setTimeout(resolve, ms);
		});
	}
}

// Offline nothing moves and nothing fails either: what is under way is cut, to be taken up again.
export function cuttable(signal) {
	const cut = new AbortController();
	addEventListener("offline", () => cut.abort(), { once: true, signal: cut.signal });
	signal.addEventListener("abort", () => cut.abort(), { signal: cut.signal });
	return cut;
}
