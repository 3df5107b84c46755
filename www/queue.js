// queue.js: what is to be sent and how far it is. Knows nothing of how it looks.

import { Refusal, askPolicy, diagnose, isSmall, sendForm, sendWhole } from "./transport.js";
import { matches } from "./format.js";
import { Network, backoff } from "./network.js";
import { LARGE, endTus, sendTus } from "./tus.js";
import { fileKey, setDeleteToken } from "./store.js";

const MIB = 2 ** 20;
// Small files wait for disks, not for the line; a browser opens six connections, and one is for all else.
const atOnce = (item) => (isSmall(item) ? 5 : 3);
// A server that collects bodies before handing them on loses a broken one whole.
const chunk = (policy) => (policy?.streamed ? 256 : 16) * MIB;

// what may be over in a moment, and how often that is believed
const PASSING = /^(offline|server_gone|connection_reset|body_timeout|offset_conflict|locked|busy|checksum_mismatch|incomplete_body|internal)$/;
const TRIES = 8;
// to PUT or PATCH, or to a request without a body, by a web server that knows neither (busybox)
const FORMS_ONLY = [405, 411, 501];

const random = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// state: waiting sending storing paused done; lost: goes on by itself; refused: the server said no; broken: it never got there
class Item {
	// path: the folders above it
	constructor(file, path, { note, keep }, onchange) {
		const { name, size, type } = file;
		Object.assign(this, { file, name, size, type, path, note, keep, onchange, sent: 0, tries: 0, doubt: "", key: fileKey(file, path), secret: random() });
		this.turn("waiting");
	}
	// retryAt: when a lost one is tried again, if not by the network's probe
	turn(state, problem = null, retryAt = 0) {
		clearTimeout(this.timer);
		Object.assign(this, { state, problem, retryAt, speed: 0, seen: null });
		this.onchange(this);
	}
	get active() {
		return this.state === "sending" || this.state === "storing";
	}
	get failed() {
		return this.state === "refused" || this.state === "broken";
	}
	get over() {
		return this.state === "done" || this.failed;
	}
	get pausable() {
		return this.state === "waiting" || this.state === "sending" || this.state === "lost";
	}
	moved(bytes) {
		const at = performance.now();
		const { seen } = this;
		this.sent = bytes;
		this.onchange(this);
		if (seen && at - seen.at < 400) return;
		if (seen) {
			const fresh = (1000 * (bytes - seen.bytes)) / (at - seen.at);
			this.speed = this.speed ? 0.7 * this.speed + 0.3 * fresh : fresh;
		}
		this.seen = { at, bytes };
	}
}

export class Queue {
	// hooks: onchange(item), onfinish(item) when done or failed, onpolicy(policy), onnetwork(lost)
	constructor(hooks) {
		this.hooks = hooks;
		this.items = [];
		this.network = new Network(() => this.learn(), () => this.turned());
		this.learn();
	}

	// false: no answer
	learn() {
		return (this.learned = askPolicy().then((policy) => {
			this.hooks.onpolicy((this.policy = policy));
			return true;
		}, ({ status }) => status > 0 && status !== 502 && status !== 504));
	}

	turned() {
		const { lost } = this.network;
		this.hooks.onnetwork(lost);
		for (const item of this.items) {
			if (!lost && item.state === "lost" && !item.retryAt) item.turn("waiting");
			else if (item.state === "waiting") this.hooks.onchange(item);
		}
		this.pump();
	}

	// how: {note, keep: how long, as the server takes it}
	async add(files, how) {
		const items = files.filter(({ file, path }) => !this.again(file, path)).map(({ file, path }) => new Item(file, path, how, this.hooks.onchange));
		this.items.push(...items);
		await this.learned;
		items.forEach((item) => this.judge(item));
		this.pump();
	}

	// A large file that is here, chosen once more, goes on.
	again(file, path) {
		const item = file.size > LARGE && this.items.find((it) => it.state !== "done" && it.key === fileKey(file, path));
		if (item && !item.active) this.resume(item);
		return item;
	}

	// What is certain is refused here; what is only likely is said.
	judge(item) {
		const { policy } = this;
		if (!policy || item.state !== "waiting") return;
		const { size, type } = item;
		const { max_bytes, allow_types: allow, deny_types: deny } = policy;
		if (type && (matches(type, deny) || !matches(type, allow))) item.doubt = `It looks like ${type}, which this server may refuse.`;
		if (size > max_bytes) this.settle(item, new Refusal("too_large", 0, { max_bytes }));
	}

	pump() {
		if (this.network.lost) return;
		let active = this.items.filter((item) => item.active).length;
		for (const item of this.items) {
			if (item.state !== "waiting") continue;
			if (active >= atOnce(item)) return;
			active++;
			this.carry(item);
		}
	}

	send(item) {
		if (item.asForm || (isSmall(item) && item.note)) return sendForm(item);
		return isSmall(item) ? sendWhole(item) : sendTus(item, chunk(this.policy));
	}

	async carry(item) {
		const { signal } = (item.cut = new AbortController());
		item.asForm = this.formsOnly;
		item.turn("sending");
		try {
			item.record = await this.send(item);
			if (item.record.delete_token) setDeleteToken(item.record.id, item.record.delete_token);
			item.sent = item.size;
			item.turn("done");
			this.hooks.onfinish(item);
		} catch (error) {
			if (!signal.aborted) await this.stumble(item, error, signal);
		}
		this.pump();
	}

	// If nobody answers, all wait for the network; else this one alone, and not for ever.
	async stumble(item, error, signal) {
		if (!error.slug) console.error(error);
		if (FORMS_ONLY.includes(error.status) && !item.asForm) {
			this.formsOnly = true;
			return item.turn("waiting");
		}
		const asked = !error.status || error.slug === "server_gone";
		const why = !error.slug ? new Refusal("internal", 500) : asked ? await diagnose(item, error) : error;
		if (signal.aborted) return;
		const gone = asked && why !== error && /^(offline|server_gone)$/.test(why.slug);
		if (!gone && (!PASSING.test(why.slug) || ++item.tries > TRIES)) return this.settle(item, why);
		if (gone) {
			item.turn("lost", why);
			return void this.network.wait();
		}
		const ms = backoff(item.tries - 1);
		item.turn("lost", why, performance.now() + ms);
		item.timer = setTimeout(() => this.resume(item), ms);
	}

	settle(item, refusal) {
		const broken = !refusal.status && PASSING.test(refusal.slug);
		item.turn(broken ? "broken" : "refused", refusal);
		this.hooks.onfinish(item);
	}

	pause(item) {
		item.cut?.abort();
		item.turn("paused");
		this.pump();
	}

	// by hand, or because its time has come
	async resume(item) {
		const { failed } = item;
		item.cut?.abort();
		if (failed) item.tries = 0;
		item.turn("waiting");
		this.network.wake();
		if (failed) await this.learn(); // limits may have changed since
		this.judge(item);
		this.pump();
	}

	remove(item) {
		this.items = this.items.filter((other) => other !== item);
		item.cut?.abort();
		clearTimeout(item.timer);
		if (item.state !== "done") endTus(item);
		this.pump();
	}
}
