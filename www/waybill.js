// waybill.js: index.html is a form that works; this is what script adds.

import { $, announce } from "./dom.js";
import { bytes, count, duration, kind, visible } from "./format.js";
import { Queue } from "./queue.js";
import { Desk } from "./desk.js";
import { List } from "./list.js";
import { explain } from "./refusals.js";
import { bearer, setBearer } from "./store.js";
import { Refusal, ask, credentials } from "./transport.js";

for (const node of document.querySelectorAll(".scripted, .unscripted")) node.hidden = node.matches(".unscripted");

const list = new List(async (...one) => (await import("./card.js")).openCard(...one));
const desk = new Desk(() => $("key").showModal(), (record) => list.open(record));
const queue = new Queue({
	onchange: (item) => desk.touch(item),
	onfinish(item) {
		desk.finished(item);
		if (item.record) list.arrived(item.record);
	},
	onpolicy: showPolicy,
	onnetwork: (lost) => desk.network(lost),
});
desk.start(queue);
list.load();

const PROGRAMS = /exec|sharedlib|mach|x-object|core/;

function showPolicy({ max_bytes, allow_types: allow, deny_types: deny, owner, streamed, expires_after: most }) {
	const taken = allow.filter((glob) => glob !== "*/*").map(kind).join(", ");
	const not = [...new Set(deny.map((glob) => (PROGRAMS.test(glob) ? "programs" : kind(glob))))].join(", ");
	$("limits").hidden = false;
	$("limit-size").textContent = bytes(max_bytes);
	$("limit-types").textContent = taken || (not ? `all but ${not}` : "all");
	$("limit-owner").textContent = visible(owner ?? "not named");
	$("key-open").textContent = bearer() ? "Change token" : "Use a token";
	$("streamed").hidden = streamed === true;
	// a choice is what is shorter than the server's own time
	const [longest, ...times] = $("keep").options;
	longest.text = most ? duration(most) : "until it is deleted";
	for (const it of times) it.hidden = it.disabled = most && most <= it.dataset.s;
	$("keep").parentElement.hidden = times[0].hidden;
	list.is(owner);
}

function take(files) {
	announce(`${files.length === 1 ? files[0].file.name : count(files.length, "file")} added.`);
	queue.add(files.map(({ file, path = "" }) => ({ file, path: path.slice(0, Math.max(0, path.lastIndexOf("/"))) })), { note: $("note").value.trim(), keep: $("keep").value });
}

for (const [button, input] of [["choose", "pick"], ["choose-folder", "pick-folder"]]) {
	$(button).onclick = () => $(input).click();
	$(input).onchange = () => {
		take([...$(input).files].map((file) => ({ file, path: file.webkitRelativePath })));
		$(input).value = ""; // so that the same file can be chosen again
	};
}
$("form").onsubmit = $("filters").onsubmit = (event) => event.preventDefault();

addEventListener("paste", ({ clipboardData: { files } }) => {
	if (!files.length) return; // text is never sent: it may be a password
	const stamp = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
	take([...files].map((file) => ({ file: file.name === "image.png" ? new File([file], `pasted ${stamp}.png`, { type: file.type }) : file })));
});

for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
	addEventListener(type, (event) => {
		if (!event.dataTransfer.types.includes("Files")) return;
		event.preventDefault();
		$("veil").hidden = type === "drop" || (type === "dragleave" && !event.relatedTarget);
	});
}
addEventListener("drop", async ({ dataTransfer: { items } }) => {
	// before the first await: afterwards the event is empty
	const dropped = [...items].filter(({ kind }) => kind === "file").map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
	const found = [];
	for (const [entry, file] of dropped) {
		if (entry?.isDirectory) await walk(entry, found);
		else if (file) found.push({ file });
	}
	if (found.length) take(found);
});

// what cannot be read is left out
async function walk(entry, found) {
	if (entry.isFile) return new Promise((go) => entry.file((file) => go(found.push({ file, path: entry.fullPath.slice(1) })), go));
	const reader = entry.createReader();
	for (let some = [0]; some.length;) {
		some = await new Promise((go) => reader.readEntries(go, () => go([])));
		for (const inner of some) await walk(inner, found);
	}
}

// A token is tried before it is kept. Where all is open any is taken: then who we are thought to be tells.
async function tryToken(token) {
	const headers = credentials(token);
	const { owner } = await ask("upload", { headers });
	if (owner !== null) return;
	await ask("files?limit=1", { headers });
	throw new Refusal("unauthorized", 401, { detail: "The server knows no such token." });
}

$("key-open").onclick = desk.onkey;
$("key-form").onsubmit = async (event) => {
	const token = $("key-text").value.trim();
	if (event.submitter?.value !== "use" || !token) return;
	event.preventDefault();
	$("key-why").textContent = "";
	try {
		await tryToken(token);
		$("key").close("use");
	} catch (refusal) {
		const { what, todo } = explain(refusal);
		$("key-why").textContent = refusal.status ? visible(refusal.told.detail ?? what) : `${what} ${todo}`;
		$("key-text").select();
	}
};
$("key").onclose = async () => {
	const token = $("key-text").value.trim();
	const did = $("key").returnValue;
	$("key").returnValue = $("key-text").value = $("key-why").textContent = "";
	if (did !== "forget" && !(did === "use" && token)) return;
	setBearer(did === "use" ? token : "");
	await queue.learn();
	queue.items.filter((item) => item.problem?.slug === "unauthorized").forEach((item) => queue.resume(item));
	list.load();
};
