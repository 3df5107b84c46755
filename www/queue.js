// queue.js: what is to be sent, in which state, three at a time. Knows nothing of how it looks.

import { askPolicy, diagnose, Failure, Refusal, ask, sendForm } from "./transport.js";
import { endTus, sendTus } from "./tus.js";
import { matches } from "./format.js";
import { fileKey, rememberOwn } from "./store.js";

const AT_ONCE = 3;
const LARGE = 16 * 1024 * 1024; // from here on resumable
const FRAME = 4096; // room for a form around a file
// A server that hands bodies on as they come keeps what came of a broken request; one that collects them first loses it all.
const CHUNK = { streamed: 256 * 1024 * 1024, collected: 16 * 1024 * 1024 };

/** One file on its way. state: waiting sending storing paused done refused */
class Item {
	constructor(file, path, note) {
		Object.assign(this, { file, path, note, name: file.name, size: file.size, state: "waiting", sent: 0, speed: 0, problem: null,
			doubt: "", retryAt: 0, record: null, cut: null, resumable: false, seen: null });
	}
	get active() {
		return this.state === "sending" || this.state === "storing" || (this.state === "paused" && this.retryAt > 0);
	}
	get left() {
		return this.speed > 0 ? (this.size - this.sent) / this.speed : Infinity;
	}
	moved(bytes) {
		const now = performance.now();
		if (!this.seen || bytes < this.seen.bytes) this.seen = { at: now, bytes };
		const span = (now - this.seen.at) / 1000;
		if (span >= 0.4) {
			const fresh = (bytes - this.seen.bytes) / span;
			this.speed = this.speed ? 0.7 * this.speed + 0.3 * fresh : fresh;
			this.seen = { at: now, bytes };
		}
		this.sent = bytes;
	}
}

export class Queue {
	/** onchange(item): something about it changed; onfinish(item): done or refused; onpolicy(policy). */
	constructor(hooks) {
		this.hooks = hooks;
		this.items = [];
		this.policy = null;
		this.learn();
		addEventListener("online", () => this.items.forEach((item) => item.state === "paused" && item.problem?.slug === "offline" && !item.retryAt && this.resume(item)));
	}

	learn() {
		this.learned = askPolicy().then((policy) => {
			this.policy = policy;
			this.hooks.onpolicy(policy);
		}, () => {});
		return this.learned;
	}

	async add(files, note) {
		const items = files.filter(({ file }) => !this.again(file)).map(({ file, path }) => new Item(file, path, note));
		this.items.push(...items);
		items.forEach((item) => this.change(item));
		if (!this.policy) await this.learned;
		items.forEach((item) => this.judge(item));
		this.pump();
	}

	/** A large file that is here already, chosen once more, goes on where it is. */
	again(file) {
		const key = file.size > LARGE ? fileKey(file) : "";
		const item = key && this.items.find((it) => it.state !== "done" && fileKey(it.file) === key);
		if (item?.state === "paused") this.resume(item);
		else if (item?.state === "refused") this.retry(item);
		return Boolean(item);
	}

	/** What is certain is refused here; what is only likely is said. */
	judge(item) {
		const policy = this.policy;
		if (!policy || item.state !== "waiting") return;
		item.resumable = Boolean(policy.resumable) && (item.size > LARGE || item.size + FRAME > policy.max_bytes);
		const type = item.file.type;
		if (item.size > policy.max_bytes) this.settle(item, new Refusal("too_large", 0, { max_bytes: policy.max_bytes }));
		else if (type && (matches(type, policy.deny) || (policy.allow.length && !matches(type, policy.allow)))) item.doubt = `It looks like ${type}, which this server may refuse.`;
		this.change(item);
	}

	pump() {
		let free = AT_ONCE - this.items.filter((item) => item.active).length;
		for (const item of this.items) {
			if (free <= 0) return;
			if (item.state !== "waiting") continue;
			free--;
			this.carry(item);
		}
	}

	async carry(item) {
		item.state = "sending";
		item.problem = null;
		item.seen = null;
		item.speed = 0;
		item.cut = new AbortController();
		this.change(item);
		try {
			item.record = item.resumable ? await this.carryLarge(item) : await this.carrySmall(item);
			item.state = "done";
			item.sent = item.size;
			if (item.record.delete_token) rememberOwn(item.record.id, item.record.delete_token);
			this.hooks.onfinish(item);
		} catch (error) {
			if (error instanceof Failure && error.kind === "aborted") return this.pump();
			if (!(error instanceof Refusal) && !(error instanceof Failure)) console.error(error);
			this.settle(item, error instanceof Failure ? await diagnose(item.file, error) : error instanceof Refusal ? error : new Refusal("internal", 0));
		}
		item.retryAt = 0;
		this.change(item);
		this.pump();
	}

	watch(item) {
		return {
			onprogress: (n) => (item.moved(n), this.change(item)),
			onsent: () => ((item.state = "storing"), (item.sent = item.size), this.change(item)),
		};
	}

	carrySmall(item) {
		const fields = [["note", item.note], ["path", item.path]].filter(([, value]) => value);
		return sendForm(item.file, fields, { ...this.watch(item), signal: item.cut.signal });
	}

	async carryLarge(item) {
		const metadata = [["filename", item.name], ["filetype", item.file.type], ["note", item.note], ["path", item.path]];
		const hooks = {
			...this.watch(item),
			onwait: (seconds, error) => {
				item.state = "paused";
				item.retryAt = performance.now() + seconds * 1000;
				item.problem = error instanceof Refusal ? error : new Refusal(navigator.onLine ? "server_gone" : "offline", 0);
				this.change(item);
			},
			ongo: () => Object.assign(item, { state: "sending", retryAt: 0, problem: null, seen: null, speed: 0 }),
		};
		const chunk = this.policy?.streamed === true ? CHUNK.streamed : CHUNK.collected;
		const { id, token } = await sendTus(item.file, metadata, chunk, hooks, item.cut.signal);
		const bare = { id, name: item.name, size: item.size, url: null };
		const record = await ask(`files/${id}`).catch(() => bare); // it is stored even where we may not read
		return token ? { ...record, delete_token: token } : record;
	}

	/** Refused, or (offline) waiting for better times. */
	settle(item, refusal) {
		item.problem = refusal;
		item.state = refusal.slug === "offline" ? "paused" : "refused";
		if (item.state === "refused") this.hooks.onfinish(item);
	}

	change(item) {
		this.hooks.onchange(item);
	}

	pause(item) {
		if (!item.resumable && item.state !== "waiting") return;
		item.state = "paused";
		item.problem = null;
		item.retryAt = 0;
		item.cut?.abort();
		this.change(item);
	}

	resume(item) {
		item.state = "waiting";
		item.problem = null;
		item.retryAt = 0;
		item.cut?.abort();
		this.change(item);
		this.pump();
	}

	async retry(item) {
		item.state = "waiting";
		item.problem = null;
		item.sent = 0;
		this.change(item);
		await this.learn(); // limits may have changed since
		this.judge(item);
		this.pump();
	}

	remove(item) {
		const unfinished = item.state !== "done";
		this.items = this.items.filter((other) => other !== item);
		item.cut?.abort();
		if (unfinished && item.resumable) endTus(fileKey(item.file));
		this.pump();
	}

	/** {sending, waiting, done, refused, paused, bytes, sent, speed}: everything together; what was refused doesn't count as bytes. */
	sum() {
		const sum = { sending: 0, waiting: 0, done: 0, refused: 0, paused: 0, bytes: 0, sent: 0, speed: 0, count: this.items.length };
		for (const item of this.items) {
			sum[item.state === "storing" ? "sending" : item.state]++;
			if (item.state === "refused") continue;
			sum.bytes += item.size;
			sum.sent += item.sent;
			if (item.state === "sending") sum.speed += item.speed;
		}
		return sum;
	}
}
