// queue.js: what is to be sent and how far it is, three at a time. Knows nothing of how it looks.

import { Refusal, ask, askPolicy, diagnose, endTus, sendForm } from "./transport.js";
import { matches } from "./format.js";
import { fileKey, setDeleteToken } from "./store.js";

const MIB = 2 ** 20;
const AT_ONCE = 3;
const LARGE = 16 * MIB; // from here on resumable
// A server that collects bodies before handing them on loses a broken one whole.
const chunk = (policy) => (policy?.streamed ? 256 : 16) * MIB;

// state: waiting sending storing paused done refused
class Item {
	constructor(file, path, note, onchange) {
		const { name, size, type } = file;
		const fields = Object.entries({ note, path }).filter(([, value]) => value);
		Object.assign(this, { file, name, size, type, path, fields, onchange, sent: 0, doubt: "" });
		this.turn("waiting");
	}
	// retryAt: paused only until then
	turn(state, problem = null, retryAt = 0) {
		Object.assign(this, { state, problem, retryAt, speed: 0, seen: null });
		this.onchange(this);
	}
	get active() {
		return this.state === "sending" || this.state === "storing" || this.retryAt > 0;
	}
	get over() {
		return this.state === "done" || this.state === "refused";
	}
	get pausable() {
		return this.state === "waiting" || (this.resumable && (this.state === "sending" || this.retryAt > 0));
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
	// hooks: onchange(item), onfinish(item) when done or refused, onpolicy(policy)
	constructor(hooks) {
		this.hooks = hooks;
		this.items = [];
		this.learn();
		addEventListener("online", () => this.items.forEach((item) => item.problem?.slug === "offline" && !item.retryAt && this.resume(item)));
	}

	learn() {
		return (this.learned = askPolicy().then((policy) => this.hooks.onpolicy((this.policy = policy)), () => {}));
	}

	async add(files, note) {
		const items = files.filter(({ file }) => !this.again(file)).map(({ file, path }) => new Item(file, path, note, this.hooks.onchange));
		this.items.push(...items);
		await this.learned;
		items.forEach((item) => this.judge(item));
		this.pump();
	}

	// A large file that is here already, chosen once more, goes on where it is.
	again(file) {
		const item = file.size > LARGE && this.items.find((it) => it.state !== "done" && fileKey(it.file) === fileKey(file));
		if (item && !item.active) this.resume(item);
		return item;
	}

	// What is certain is refused here; what is only likely is said.
	judge(item) {
		const { policy } = this;
		if (!policy || item.state !== "waiting") return;
		const { size, type } = item;
		const { max_bytes, allow_types: allow, deny_types: deny } = policy;
		item.resumable = policy.resumable && (size > LARGE || size > max_bytes - 4096); // a form needs room around its file
		if (type && (matches(type, deny) || !matches(type, allow))) item.doubt = `It looks like ${type}, which this server may refuse.`;
		if (size > max_bytes) this.settle(item, new Refusal("too_large", 0, { max_bytes }));
	}

	pump() {
		const free = AT_ONCE - this.items.filter((item) => item.active).length;
		if (free > 0) this.items.filter((item) => item.state === "waiting").slice(0, free).forEach((item) => this.carry(item));
	}

	async carry(item) {
		const { signal } = (item.cut = new AbortController());
		item.turn("sending");
		try {
			const { id, delete_token } = (item.record = await (item.resumable ? this.carryLarge(item) : sendForm(item)));
			if (delete_token) setDeleteToken(id, delete_token);
			item.sent = item.size;
			item.turn("done");
			this.hooks.onfinish(item);
		} catch (error) {
			if (signal.aborted) return;
			if (!error.slug) console.error(error);
			this.settle(item, error.slug === "network" ? await diagnose(item.file) : error.slug ? error : new Refusal("internal"));
		}
		this.pump();
	}

	// The page opens without what only large files need.
	async carryLarge(item) {
		const { sendTus } = await import("./tus.js").catch(() => {
			throw new Refusal("network");
		});
		const known = await sendTus(item, chunk(this.policy));
		return { ...await ask(`files/${known.id}`).catch(() => {}), ...known }; // stored also where we may not read
	}

	settle(item, refusal) {
		item.turn(refusal.slug === "offline" ? "paused" : "refused", refusal);
		if (item.over) this.hooks.onfinish(item);
	}

	pause(item) {
		item.cut?.abort();
		item.turn("paused");
		this.pump();
	}

	async resume(item) {
		const refused = item.state === "refused";
		item.cut?.abort();
		item.turn("waiting");
		if (refused) await this.learn(); // limits may have changed since
		this.judge(item);
		this.pump();
	}

	remove(item) {
		this.items = this.items.filter((other) => other !== item);
		item.cut?.abort();
		if (item.state !== "done" && item.resumable) endTus(fileKey(item.file));
		this.pump();
	}
}
