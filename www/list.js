// list.js: what has been received: the server's pages, filters, several at once, deleting with a way back.

import { $, announce, copy, el, icon, nameOf, setText, tool } from "./dom.js";
import { bytes, count, exactly, family, visible, when, whenFully } from "./format.js";
import { ask, credentials } from "./transport.js";
import { bearer, deleteToken, setDeleteToken } from "./store.js";
import { explainShort } from "./refusals.js";

const PAGE = 50;
const GRACE = 6000; // between "Delete" and the deed

export const link = (record) => new URL(record.url, document.baseURI).href;

// Without a token the browser fetches it by itself, straight to disk.
export async function download(record) {
	let href = link(record);
	if (bearer()) {
		const answer = await fetch(href, { headers: credentials() }).catch(() => ({}));
		if (!answer.ok) return announce(`${visible(record.name)} could not be fetched.`);
		href = URL.createObjectURL(await answer.blob());
		setTimeout(() => URL.revokeObjectURL(href), 60_000);
	}
	el("a", { href, download: record.name }).click();
}

export class List {
	constructor(onopen) {
		this.onopen = onopen;
		this.shown = new Map(); // id -> {record, row, box, acts, doom: the timer of its deletion}
		let typing = 0;
		$("find").oninput = () => {
			clearTimeout(typing);
			typing = setTimeout(() => this.load(), 220);
		};
		$("family").onchange = $("order").onchange = () => this.load();
		$("filters").onsubmit = (event) => event.preventDefault();
		$("more").onclick = async () => {
			const last = $("rows").lastElementChild;
			await this.page();
			last?.nextElementSibling?.querySelector(".open").focus();
		};
		$("all").onchange = () => {
			this.all.forEach((it) => (it.box.checked = $("all").checked && !it.doom));
			this.count();
		};
		$("chosen-get").onclick = async () => {
			for (const { record } of this.chosen) {
				await download(record);
				await new Promise((go) => setTimeout(go, 400)); // browsers drop clicks that come all at once
			}
		};
		$("chosen-link").onclick = () => copy(this.chosen.map(({ record }) => link(record)).join("\n"), "Links");
		$("chosen-drop").onclick = () => this.doom(this.chosen.filter((it) => this.mayDrop(it.record)));
		this.sight = new IntersectionObserver(([seen]) => seen.isIntersecting && !this.problem && this.page(), { rootMargin: "600px" });
		addEventListener("pagehide", () => this.doomed.forEach((it) => this.strike(it)));
	}

	get all() {
		return [...this.shown.values()];
	}
	get chosen() {
		return this.all.filter((it) => it.box.checked);
	}
	get doomed() {
		return this.all.filter((it) => it.doom);
	}

	load() {
		const query = new URLSearchParams({ limit: PAGE, order: $("order").value });
		if ($("find").value) query.set("name", $("find").value);
		if ($("family").value) query.set("type", $("family").value);
		this.filtered = query.size > 2;
		this.busy?.abort();
		this.busy = null;
		this.next = `files?${query}`;
		return this.page(true);
	}

	async page(fresh = this.fresh) {
		if (this.busy || !this.next) return;
		const cut = (this.busy = new AbortController());
		this.fresh = fresh;
		this.problem = "";
		try {
			const told = await ask(this.next, { signal: cut.signal });
			if (cut.signal.aborted) return;
			if (fresh) this.wipe();
			this.fresh = false;
			this.next = told.next;
			this.total = told.total;
			$("rows").append(...told.files.filter(({ id }) => !this.shown.has(id)).map((record) => this.enter(record)));
		} catch (refusal) {
			if (cut.signal.aborted) return;
			this.problem = explainShort(refusal, "read the list");
		}
		this.busy = null;
		this.tell();
		// an observer only tells of changes
		this.sight.disconnect();
		if (this.next) this.sight.observe($("more").parentElement);
	}

	wipe() {
		this.doomed.forEach((it) => this.strike(it));
		this.shown.clear();
		$("rows").replaceChildren();
	}

	tell() {
		const none = !this.shown.size;
		setText($("empty"), this.problem || (none ? (this.filtered ? "Nothing received matches this." : "Nothing received yet.") : ""));
		$("register").hidden = none;
		setText($("total"), this.problem || this.total === undefined ? "" : count(this.total, "file"));
		$("more").hidden = !this.next;
		setText($("more"), this.problem ? "Try again" : "Show more");
		this.count();
	}

	arrived(record) {
		if (!record.url || this.filtered || $("order").value !== "newest") this.chosen.length || this.load();
		else if (!this.shown.has(record.id)) {
			const row = this.enter(record);
			row.classList.add("new");
			$("rows").prepend(row);
			this.total++;
			this.tell();
		}
	}

	enter(record) {
		const { id, name, type, size, uploaded_at, owner } = record;
		const cell = (column, content, title) => el("td", { class: `c-${column}`, title }, content);
		const it = {
			record, acts: cell("acts", ""),
			box: el("input", { type: "checkbox", "aria-label": `Choose ${visible(name)}`, onchange: () => this.count() }),
		};
		it.row = el("tr", {}, cell("pick", it.box),
			cell("name", el("button", { class: "open", onclick: () => this.onopen(record, this) }, icon(family(type)), nameOf(name))),
			cell("type", type, type), cell("size", bytes(size), exactly(size)), cell("time", when(uploaded_at), whenFully(uploaded_at)),
			cell("owner", el("bdi", {}, visible(owner ?? "–"))), it.acts);
		this.equip(it);
		this.shown.set(id, it);
		return it.row;
	}

	equip(it) {
		const { record } = it;
		const act = (picture, word, deed) => tool(picture, `${word} ${visible(record.name)}`, deed);
		it.acts.replaceChildren(act("get", "Download", () => download(record)), act("link", "Copy link to", () => copy(link(record), "Link")),
			act("hash", "Copy SHA-256 of", () => copy(record.sha256, "SHA-256")));
		if (this.mayDrop(record)) it.acts.append(act("drop", "Delete", () => this.doom([it])));
	}

	mayDrop({ id, owner }) {
		return Boolean(deleteToken(id) || bearer() || (owner && owner === this.owner));
	}
	is(owner) {
		this.owner = owner;
		this.all.forEach((it) => it.doom || this.equip(it));
	}

	count() {
		const { chosen } = this;
		$("chosen").hidden = !chosen.length;
		setText($("chosen-count"), `${chosen.length} chosen, ${bytes(chosen.reduce((sum, it) => sum + it.record.size, 0))}`);
		$("chosen-drop").hidden = !chosen.some((it) => this.mayDrop(it.record));
		$("all").checked = chosen.length > 0 && chosen.length === this.shown.size;
		$("all").indeterminate = chosen.length > 0 && !$("all").checked;
	}

	// Struck through now, deleted in a moment; until then the way back is where the button was.
	doom(some) {
		for (const it of some) {
			it.doom = setTimeout(() => this.strike(it), GRACE);
			it.box.checked = false;
			it.row.classList.add("going");
			it.acts.replaceChildren(el("button", { "aria-label": `Undo deleting ${visible(it.record.name)}`, onclick: () => this.spare(it) }, "Undo"));
		}
		some[0].acts.firstChild.focus();
		announce(`${some.length > 1 ? count(some.length, "file") : visible(some[0].record.name)} will be deleted; press Undo to keep.`);
		this.count();
	}

	spare(it, why = "kept.") {
		const had = it.acts.contains(document.activeElement);
		clearTimeout(it.doom);
		it.doom = 0;
		it.struck = false;
		it.row.classList.remove("going");
		this.equip(it);
		if (had) it.acts.lastChild.focus();
		announce(`${visible(it.record.name)}: ${why}`);
	}

	async strike(it) {
		const { id } = it.record;
		clearTimeout(it.doom);
		if (it.struck) return;
		it.struck = true;
		try {
			await ask(`files/${id}`, { method: "DELETE", headers: credentials(deleteToken(id)), keepalive: true });
		} catch (refusal) {
			const why = explainShort(refusal, "delete it");
			if (refusal.status !== 404 && refusal.status !== 410) return it.row.cells[1].append(el("p", { class: "why" }, el("b", {}, why)), this.spare(it, why) ?? "");
		}
		setDeleteToken(id);
		if (this.shown.get(id) !== it) return;
		const next = it.row.nextElementSibling ?? it.row.previousElementSibling;
		const had = it.row.contains(document.activeElement);
		it.row.remove();
		this.shown.delete(id);
		this.total--;
		this.tell();
		if (had) (next?.querySelector(".open") ?? $("find")).focus();
	}
}
