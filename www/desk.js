// desk.js: how the queue looks: a row and a barcode for each file, one for all, the title, what is said aloud.

import { $, announce, el, icon, nameOf, setText, tool } from "./dom.js";
import { bytes, duration, exactly, family, percent, visible } from "./format.js";
import { explain } from "./refusals.js";
import { fileKey, unfinished } from "./store.js";
import { endTus } from "./tus.js";

const SAY_EVERY = 10_000;

export class Desk {
	constructor(hooks) {
		this.hooks = hooks; // onkey(): a token is wanted
		this.rows = new Map();
		this.dirty = new Set();
		this.said = 0;
		this.queue = null;
		$("clear").onclick = () => this.clear();
		$("pause-all").onclick = () => this.pauseAll();
		setInterval(() => this.rows.forEach((row, item) => item.retryAt && this.touch(item)), 1000);
		this.guard = (event) => event.preventDefault();
	}

	/** Files whose upload stopped in an earlier life of this page. */
	showUnfinished() {
		for (const it of unfinished()) {
			const row = el("li", { class: "item", "data-state": "paused", "data-key": it.key }, icon("file"), el("div", { class: "item-name" }, nameOf(it.name), el("span", { class: "item-size" }, bytes(it.size))));
			const bar = el("progress", { max: it.size, value: it.at || 0, "aria-label": `Sent of ${visible(it.name)}` });
			const drop = tool("x", `Forget ${visible(it.name)}`, "Forget it", () => {
				endTus(it.key);
				row.remove();
				this.sum();
			});
			row.append(bar, el("p", { class: "item-what" }, `stopped at ${percent(it.at || 0, it.size)} %`), el("div", { class: "item-acts" }, drop),
				el("p", { class: "item-why" }, "Choose the same file again and it goes on from there."));
			$("items").append(row);
		}
		this.sum();
	}

	touch(item) {
		if (!this.dirty.size) requestAnimationFrame(() => this.draw());
		this.dirty.add(item);
	}

	draw() {
		for (const item of this.dirty) {
			if (!this.queue.items.includes(item)) continue;
			if (!this.rows.has(item)) this.rows.set(item, this.row(item));
			this.fill(item, this.rows.get(item));
		}
		this.dirty.clear();
		this.sum();
	}

	row(item) {
		const name = visible(item.name);
		$("items").querySelector(`[data-key="${CSS.escape(fileKey(item.file))}"]`)?.remove();
		const row = {
			item: el("li", { class: "item" }),
			bar: el("progress", { max: Math.max(item.size, 1), value: 0, "aria-label": `Sent of ${name}` }),
			what: el("p", { class: "item-what" }),
			acts: el("div", { class: "item-acts" }),
			why: el("p", { class: "item-why", hidden: true }),
			stamp: el("span", { class: "stamp", hidden: true }, "RECEIVED"),
			state: "",
		};
		const label = nameOf(item.name);
		if (item.path) label.title = visible(item.path);
		row.item.append(icon(family(item.file.type)), el("div", { class: "item-name" }, label, el("span", { class: "item-size", title: exactly(item.size) }, bytes(item.size))),
			row.bar, row.stamp, row.what, row.acts, row.why);
		$("items").append(row.item);
		return row;
	}

	fill(item, row) {
		row.bar.value = item.size ? item.sent : item.state === "done" ? 1 : 0;
		setText(row.what, this.what(item));
		const told = `${item.state} ${item.problem?.slug ?? ""} ${item.doubt}`;
		if (row.state === told) return;
		row.state = told;
		row.item.dataset.state = item.state;
		row.stamp.hidden = item.state !== "done";
		row.bar.hidden = item.state === "done" || item.state === "refused";
		this.reason(item, row);
		this.acts(item, row);
	}

	/** The one short line of figures. */
	what(item) {
		const share = `${percent(item.sent, item.size)} %`;
		switch (item.state) {
		case "waiting": return "waiting";
		case "sending": return [share, item.speed && `${bytes(item.speed)}/s`, item.speed && `${duration(item.left)} left`].filter(Boolean).join(" · ");
		case "storing": return "sent; the server is storing it";
		case "paused": {
			const seconds = Math.max(0, Math.ceil((item.retryAt - performance.now()) / 1000));
			return item.retryAt ? `${share} · ${seconds ? `trying again in ${seconds} s` : "trying again"}` : `paused at ${share}`;
		}
		case "done": return item.record?.type || "";
		default: return "refused";
		}
	}

	reason(item, row) {
		row.why.replaceChildren();
		if (item.problem) {
			const { what, todo } = explain({ ...item.problem, told: { ...item.problem.told, allow: this.queue.policy?.allow.filter((g) => g !== "*/*") } }, item);
			row.why.append(el("b", {}, what), " ", todo);
			if (item.problem.slug === "unauthorized") row.why.append(" ", el("button", { type: "button", class: "plain", onclick: () => this.hooks.onkey() }, "Enter a token"));
		} else if (item.doubt && item.state !== "done") row.why.append(item.doubt);
		row.why.hidden = !row.why.hasChildNodes();
	}

	acts(item, row) {
		const q = this.queue;
		const name = visible(item.name);
		const had = row.acts.contains(document.activeElement);
		const acts = [];
		if (item.state === "refused" && !explain(item.problem, item).final) acts.push(tool("again", `Retry ${name}`, "Retry", () => q.retry(item)));
		if (item.resumable && (item.state === "sending" || (item.state === "paused" && item.retryAt))) acts.push(tool("pause", `Pause ${name}`, "Pause", () => q.pause(item)));
		if (item.state === "paused") acts.push(tool("play", `Resume ${name}`, item.retryAt ? "Try now" : "Resume", () => q.resume(item)));
		const over = item.state === "done" || item.state === "refused";
		acts.push(tool("x", `${over ? "Clear" : "Cancel"} ${name}`, over ? "Clear from this list" : "Cancel", () => this.remove(item)));
		row.acts.replaceChildren(...acts);
		if (had) acts[0].focus();
	}

	remove(item) {
		const row = this.rows.get(item);
		const next = row.item.nextElementSibling || row.item.previousElementSibling;
		if (item.state !== "done" && item.state !== "refused") announce(`${visible(item.name)} cancelled.`);
		this.forget(item);
		(next?.querySelector("button") || $("choose")).focus();
	}

	forget(item) {
		this.rows.get(item)?.item.remove();
		this.rows.delete(item);
		this.queue.remove(item);
		this.sum();
	}

	clear() {
		this.queue.items.filter((item) => item.state === "done" || item.state === "refused").forEach((item) => this.forget(item));
		$("choose").focus();
	}

	pauseAll() {
		const moving = this.queue.items.filter((item) => this.pausable(item));
		if (moving.length) moving.forEach((item) => this.queue.pause(item));
		else this.queue.items.filter((item) => item.state === "paused").forEach((item) => this.queue.resume(item));
	}

	pausable(item) {
		return item.state === "waiting" || (item.resumable && (item.state === "sending" || (item.state === "paused" && item.retryAt)));
	}

	sum() {
		const sum = this.queue ? this.queue.sum() : { count: 0, refused: 0, done: 0 };
		$("desk").hidden = !$("items").childElementCount;
		$("overall").hidden = !sum.count;
		$("clear").hidden = !(sum.done || sum.refused);
		if (!sum.count) {
			setText($("overall-text"), "");
			$("pause-all").hidden = true;
			document.title = "waybill";
			removeEventListener("beforeunload", this.guard);
			return;
		}
		const busy = sum.sending + sum.waiting > 0 || sum.paused > 0;
		const share = percent(sum.sent, sum.bytes);
		$("overall").max = sum.bytes || 1;
		$("overall").value = sum.bytes ? sum.sent : sum.done;
		const left = sum.speed > 0 && sum.sending ? (sum.bytes - sum.sent) / sum.speed : 0;
		setText($("overall-text"), [`${sum.done} of ${sum.count} received`, sum.refused && `${sum.refused} refused`, busy && `${bytes(sum.sent)} of ${bytes(sum.bytes)}`,
			left && `${bytes(sum.speed)}/s`, left && `${duration(left)} left`].filter(Boolean).join(" · "));
		const moving = this.queue.items.some((item) => this.pausable(item));
		$("pause-all").hidden = !moving && !sum.paused;
		setText($("pause-all"), moving ? "Pause all" : "Resume all");
		document.title = busy ? `${share} % · waybill` : sum.refused ? `${sum.refused} refused · waybill` : `${sum.done} received · waybill`;
		if (busy) addEventListener("beforeunload", this.guard);
		else removeEventListener("beforeunload", this.guard);
		this.say(sum, share, left);
	}

	say(sum, share, left) {
		const now = performance.now();
		if (!sum.sending || now - this.said < SAY_EVERY) return;
		this.said = now;
		announce(`${share} percent sent${left ? `, ${duration(left)} left` : ""}.`);
	}

	finished(item) {
		const name = visible(item.name);
		if (item.state === "done") return announce(`${name} received.`);
		const { what, todo } = explain(item.problem, item);
		announce(`${name} refused. ${what} ${todo}`);
	}
}
