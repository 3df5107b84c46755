// list.js: what has been received: pages on the server's cursor, filters, choosing several, deleting with a way back.

import { $, announce, copy, el, icon, nameOf, setText, tool } from "./dom.js";
import { bytes, exactly, family, visible, when, whenFully } from "./format.js";
import { ask, credentials } from "./transport.js";
import { bearer, deleteToken, forgetOwn } from "./store.js";
import { explainShort } from "./refusals.js";

const PAGE = 50;
const GRACE = 6000; // between "Delete" and the deed

export class List {
	/** hooks: onopen(record) */
	constructor(hooks) {
		this.hooks = hooks;
		this.shown = new Map(); // id -> {record, row, box, doom}
		this.next = null;
		this.total = null;
		this.policy = null;
		this.busy = null;
		let typing = 0;
		$("find").oninput = () => {
			clearTimeout(typing);
			typing = setTimeout(() => this.load(), 220);
		};
		$("family").onchange = $("order").onchange = () => this.load();
		$("filters").onsubmit = (event) => (event.preventDefault(), this.load());
		$("more").onclick = () => this.onmore();
		$("all").onchange = () => this.chooseAll($("all").checked);
		$("chosen-none").onclick = () => (this.chooseAll(false), $("all").focus());
		$("chosen-get").onclick = () => this.getAll();
		$("chosen-link").onclick = () => copy(this.chosen().map(({ record }) => link(record)).join("\n"), "Links");
		$("chosen-drop").onclick = () => this.dropChosen();
		this.sight = new IntersectionObserver((seen) => seen.some((it) => it.isIntersecting) && this.next && this.page(), { rootMargin: "600px" });
		this.sight.observe($("more").parentElement);
		addEventListener("pagehide", () => this.shown.forEach((it) => it.doom && this.strike(it, true)));
		addEventListener("keydown", (event) => {
			if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.closest("input, textarea")) return;
			const doomed = [...this.shown.values()].filter((it) => it.doom);
			if (doomed.length) event.preventDefault();
			doomed.forEach((it) => this.spare(it));
		});
	}

	address() {
		const query = new URLSearchParams({ limit: PAGE });
		if ($("find").value) query.set("name", $("find").value);
		if ($("family").value) query.set("type", $("family").value);
		if ($("order").value !== "newest") query.set("order", $("order").value);
		return `files?${query}`;
	}
	get filtered() {
		return Boolean($("find").value || $("family").value);
	}

	/** From the top. */
	load() {
		this.busy?.abort();
		this.busy = null;
		this.fresh = true;
		this.next = this.address();
		return this.page();
	}

	async page() {
		if (this.busy || !this.next) return;
		const cut = (this.busy = new AbortController());
		try {
			const told = await ask(this.next, { signal: cut.signal });
			if (this.busy !== cut) return;
			if (this.fresh) this.wipe();
			this.next = told.next;
			this.total = told.total;
			$("rows").append(...told.files.filter((record) => !this.shown.has(record.id)).map((record) => this.enter(record).row));
			this.state();
		} catch (error) {
			if (this.busy !== cut || error.kind === "aborted") return;
			this.state(explainShort(error, "read the list"));
		} finally {
			if (this.busy === cut) this.busy = null;
		}
		this.look();
	}

	/** Still in sight of the end? An observer only tells of changes. */
	look() {
		this.sight.unobserve($("more").parentElement);
		if (this.next && !this.broken) this.sight.observe($("more").parentElement);
	}

	wipe() {
		this.fresh = false;
		this.shown.forEach((it) => it.doom && this.strike(it));
		this.shown.clear();
		$("rows").replaceChildren();
		$("all").checked = false;
	}

	onmore() {
		const last = $("rows").lastElementChild;
		this.page().then(() => last?.nextElementSibling?.querySelector(".open").focus());
	}

	state(problem = "") {
		this.broken = Boolean(problem);
		const none = this.shown.size === 0;
		const empty = problem || (none ? (this.filtered ? "Nothing received matches this." : "Nothing received yet.") : "");
		setText($("empty"), empty);
		$("empty").hidden = !empty;
		document.querySelector(".register").hidden = none;
		setText($("total"), this.total === null || problem ? "" : `${this.total.toLocaleString("en")} ${this.total === 1 ? "file" : "files"}`);
		$("more").hidden = !this.next;
		setText($("more"), problem ? "Try again" : "Show more");
		this.count();
	}

	/** Something sent from here has arrived. */
	arrived(record) {
		if (!record.url) return this.load();
		if (this.filtered || $("order").value !== "newest") return this.load();
		if (this.shown.has(record.id)) return undefined;
		const it = this.enter(record);
		it.row.classList.add("new");
		$("rows").prepend(it.row);
		this.total = (this.total ?? 0) + 1;
		this.state();
		return undefined;
	}

	enter(record) {
		const name = visible(record.name);
		const box = el("input", { type: "checkbox", "aria-label": `Choose ${name}`, onchange: () => this.count() });
		const open = el("button", { type: "button", class: "open", onclick: () => this.hooks.onopen(record, this) }, icon(family(record.type)), nameOf(record.name));
		const it = { record, box, doom: 0, acts: el("td", { role: "cell", class: "c-acts" }) };
		it.row = el("tr", { role: "row" },
			el("td", { role: "cell", class: "c-pick" }, box),
			el("td", { role: "cell", class: "c-name" }, open),
			el("td", { role: "cell", class: "c-type", title: record.type }, record.type),
			el("td", { role: "cell", class: "c-size", title: exactly(record.size) }, bytes(record.size)),
			el("td", { role: "cell", class: "c-time" }, el("time", { datetime: record.uploaded_at, title: whenFully(record.uploaded_at) }, when(record.uploaded_at))),
			el("td", { role: "cell", class: "c-owner" }, record.owner === null ? "–" : el("bdi", { title: record.owner }, visible(record.owner))),
			it.acts);
		this.tools(it);
		this.shown.set(record.id, it);
		return it;
	}

	tools(it) {
		const { record } = it;
		const name = visible(record.name);
		const tools = [
			tool("get", `Download ${name}`, "Download", () => download(record)),
			tool("link", `Copy link to ${name}`, "Copy link", () => copy(link(record), "Link")),
			tool("hash", `Copy SHA-256 of ${name}`, "Copy SHA-256", () => copy(record.sha256, "SHA-256")),
		];
		if (this.mayDrop(record)) tools.push(tool("drop", `Delete ${name}`, "Delete", () => this.doom(it)));
		it.acts.replaceChildren(...tools);
	}

	/** What was sent from this browser, what is one's own, or what a token may be good for. */
	mayDrop(record) {
		const owner = this.policy?.owner;
		return Boolean(deleteToken(record.id) || bearer() || (owner && owner === record.owner) || this.policy?.delete_access === "open");
	}
	refreshRights() {
		this.shown.forEach((it) => it.doom || this.tools(it));
	}

	chosen() {
		return [...this.shown.values()].filter((it) => it.box.checked && !it.doom);
	}
	chooseAll(on) {
		this.shown.forEach((it) => (it.box.checked = on && !it.doom));
		this.count();
	}
	count() {
		const chosen = this.chosen();
		$("chosen").hidden = !chosen.length;
		setText($("chosen-count"), `${chosen.length} chosen, ${bytes(chosen.reduce((sum, it) => sum + it.record.size, 0))}`);
		$("chosen-drop").hidden = !chosen.some((it) => this.mayDrop(it.record));
		$("all").checked = chosen.length > 0 && chosen.length === this.shown.size;
		$("all").indeterminate = chosen.length > 0 && chosen.length < this.shown.size;
	}
	async getAll() {
		for (const { record } of this.chosen()) {
			await download(record);
			await new Promise((go) => setTimeout(go, 400)); // browsers drop clicks that come all at once
		}
	}
	dropChosen() {
		const mine = this.chosen().filter((it) => this.mayDrop(it.record));
		mine.forEach((it) => this.doom(it, false));
		mine[0]?.acts.querySelector("button").focus();
		if (mine.length > 1) announce(`${mine.length} files will be deleted. Control Z takes it back.`);
	}

	/** Struck through now, deleted in a moment; until then the way back is where the button was. */
	doom(it, alone = true) {
		it.doom = setTimeout(() => this.strike(it), GRACE);
		it.box.checked = false;
		it.row.classList.add("going");
		const undo = el("button", { type: "button", onclick: () => this.spare(it) }, "Undo");
		undo.setAttribute("aria-label", `Undo deleting ${visible(it.record.name)}`);
		it.acts.replaceChildren(undo);
		if (alone) {
			undo.focus();
			announce(`${visible(it.record.name)} will be deleted. Press Undo to keep it.`);
		}
		this.count();
	}

	spare(it, why = "kept") {
		clearTimeout(it.doom);
		it.doom = 0;
		it.row.classList.remove("going");
		const had = it.acts.contains(document.activeElement);
		this.tools(it);
		if (had) it.acts.lastElementChild.focus();
		announce(`${visible(it.record.name)}: ${why}.`);
	}

	async strike(it, keepalive = false) {
		clearTimeout(it.doom);
		const { id } = it.record;
		try {
			await ask(`files/${id}`, { method: "DELETE", headers: credentials(deleteToken(id)), keepalive });
		} catch (error) {
			if (error.slug !== "not_found" && error.slug !== "expired") {
				const why = explainShort(error, "delete it");
				this.spare(it, why);
				return this.complain(it, why);
			}
		}
		forgetOwn(id);
		if (this.shown.get(id) !== it) return undefined;
		const next = it.row.nextElementSibling || it.row.previousElementSibling;
		const had = it.row.contains(document.activeElement);
		it.row.remove();
		this.shown.delete(id);
		this.total = Math.max(0, this.total - 1);
		this.state();
		if (had) (next?.querySelector(".open") || $("find")).focus();
		return undefined;
	}

	complain(it, why) {
		it.row.querySelector(".complaint")?.remove();
		it.row.querySelector(".c-name").append(el("p", { class: "complaint" }, why));
	}
}

export function link(record) {
	return new URL(record.url, document.baseURI).href;
}

/** Without a token the browser fetches it by itself, straight to disk; with one, only a script can say it. */
export async function download(record) {
	let href = link(record);
	let blob = null;
	if (bearer()) {
		try {
			const answer = await fetch(href, { headers: credentials() });
			if (!answer.ok) throw new Error(answer.status);
			blob = await answer.blob();
			href = URL.createObjectURL(blob);
		} catch {
			return announce(`${visible(record.name)} could not be fetched.`);
		}
	}
	const a = el("a", { href, download: record.name, hidden: true });
	document.body.append(a);
	a.click();
	a.remove();
	if (blob) setTimeout(() => URL.revokeObjectURL(href), 60_000);
	return undefined;
}
