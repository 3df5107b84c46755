// waybill.js: index.html is a form that works; this is what script adds.

import { $, announce } from "./dom.js";
import { bytes, count, exactly, visible } from "./format.js";
import { Queue } from "./queue.js";
import { Desk } from "./desk.js";
import { List } from "./list.js";
import { bearer, setBearer } from "./store.js";

for (const node of document.querySelectorAll(".scripted, .unscripted")) node.hidden = node.matches(".unscripted");

const list = new List(async (...one) => (await import("./card.js")).openCard(...one));
const desk = new Desk({ onkey: askKey });
const queue = new Queue({
	onchange: (item) => desk.touch(item),
	onfinish: (item) => {
		desk.finished(item);
		if (item.record) list.arrived(item.record);
	},
	onpolicy: showPolicy,
});
desk.start(queue);
list.load();

// what is taken here, said before anybody has to fail
const PROGRAMS = /exec|sharedlib|mach|x-object|core/;

function showPolicy({ max_bytes, allow_types: allow, deny_types: deny, owner, streamed }) {
	const taken = allow.filter((glob) => glob !== "*/*").join(", ") || "all";
	const not = [...new Set(deny.map((glob) => (PROGRAMS.test(glob) ? "programs" : glob)))].join(", ");
	$("limits").hidden = false;
	$("limit-size").textContent = bytes(max_bytes);
	$("limit-size").title = exactly(max_bytes);
	$("limit-types").textContent = not && taken === "all" ? `all but ${not}` : taken;
	$("limit-types").title = not && `Not ${deny.join(", ")}`;
	$("limit-owner").textContent = visible(owner ?? "not named");
	$("key-open").textContent = bearer() ? "Change token" : "Use a token";
	$("streamed").hidden = streamed === true;
	list.is(owner);
}

function take(files) {
	announce(files.length === 1 ? `${visible(files[0].file.name)} added.` : `${count(files.length, "file")} added.`);
	queue.add(files, $("note").value.trim());
}
const plain = (files) => [...files].map((file) => ({ file, path: file.webkitRelativePath }));

for (const [button, input] of [["choose", "pick"], ["choose-folder", "pick-folder"]]) {
	$(button).onclick = () => $(input).click();
	$(input).onchange = () => {
		take(plain($(input).files));
		$(input).value = ""; // so that the same file can be chosen again
	};
}
$("form").onsubmit = (event) => event.preventDefault();

addEventListener("paste", ({ clipboardData: { files } }) => {
	if (!files.length) return; // text is never sent: it may be a password
	const stamp = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
	take(plain(files).map(({ file }) => ({ file: file.name === "image.png" ? new File([file], `pasted ${stamp}.png`, { type: file.type }) : file })));
});

let depth = 0; // of elements entered; each drag ends at none
for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
	addEventListener(type, (event) => {
		if (!event.dataTransfer.types.includes("Files")) return;
		event.preventDefault();
		depth = { dragenter: depth + 1, dragover: depth, dragleave: depth - 1, drop: 0 }[type];
		$("veil").hidden = !depth;
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
async function walk(folder, found) {
	const reader = folder.createReader();
	const read = () => new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
	for (let entries = await read(); entries.length; entries = await read()) {
		for (const entry of entries) {
			if (entry.isDirectory) await walk(entry, found);
			else await new Promise((resolve) => entry.file((file) => resolve(found.push({ file, path: entry.fullPath.slice(1) })), resolve));
		}
	}
}

function askKey() {
	$("key").returnValue = "";
	$("key").showModal();
}
$("key-open").onclick = askKey;
$("key").onclose = async () => {
	const token = $("key-text").value.trim();
	const did = $("key").returnValue;
	$("key-text").value = "";
	if (did !== "forget" && !(did === "use" && token)) return;
	setBearer(did === "use" ? token : "");
	await queue.learn();
	queue.items.filter((item) => item.problem?.slug === "unauthorized").forEach((item) => queue.resume(item));
	list.load();
};
