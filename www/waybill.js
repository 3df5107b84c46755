// waybill.js: the page with script on. Without it, index.html is a form that works.

import { $, announce } from "./dom.js";
import { bytes, exactly } from "./format.js";
import { Queue } from "./queue.js";
import { Desk } from "./desk.js";
import { List } from "./list.js";
import { openCard } from "./card.js";
import { bearer, setBearer } from "./store.js";

for (const node of document.querySelectorAll(".scripted")) node.hidden = false;
for (const node of document.querySelectorAll(".unscripted")) node.hidden = true;
$("pick").required = false;

const list = new List({ onopen: openCard });
const desk = new Desk({ onkey: askKey });
const queue = new Queue({
	onchange: (item) => desk.touch(item),
	onfinish: (item) => {
		desk.finished(item);
		if (item.state === "done") list.arrived(item.record);
	},
	onpolicy: showPolicy,
});
desk.queue = queue;
desk.showUnfinished();
list.load();

// ---- what is taken here, said before anybody has to fail

function showPolicy(policy) {
	$("limits").hidden = false;
	$("limit-size").textContent = policy.max_bytes ? bytes(policy.max_bytes) : "any size";
	$("limit-size").title = policy.max_bytes ? exactly(policy.max_bytes) : "";
	const allow = policy.allow.filter((glob) => glob !== "*/*");
	$("limit-types").textContent = allow.length ? allow.join(", ") : policy.deny.length ? "all but some" : "all";
	$("limit-types").title = policy.deny.length ? `Not: ${policy.deny.join(", ")}` : "";
	if (!allow.length && policy.deny.length) $("limit-types").textContent = `all but ${kinds(policy.deny)}`;
	$("limit-owner").textContent = policy.owner ?? "not named";
	$("key-open").textContent = bearer() ? "Change token" : "Use a token";
	$("streamed").hidden = policy.streamed === true;
	$("streamed").textContent = "The bars show the way to the web server, which may collect a file before handing it on; after that comes “storing”.";
	list.policy = policy;
	list.refreshRights();
}

const PROGRAMS = /executable|sharedlib|x-dosexec|portable-executable|msdownload|mach-binary|x-object|coredump|pie-/;
function kinds(globs) {
	const others = globs.filter((glob) => !PROGRAMS.test(glob));
	return [...(others.length < globs.length ? ["programs"] : []), ...others].join(", ");
}

// ---- ways for files to get in

function take(files) {
	if (!files.length) return announce("No file in that.");
	announce(files.length === 1 ? `${files[0].file.name} added.` : `${files.length} files added.`);
	return queue.add(files, $("note").value.trim());
}
const plain = (files) => [...files].map((file) => ({ file, path: file.webkitRelativePath || "" }));

for (const [button, input] of [["choose", "pick"], ["choose-folder", "pick-folder"]]) {
	$(button).onclick = () => $(input).click();
	$(input).onchange = () => {
		const files = plain($(input).files);
		$(input).value = ""; // so that the same file can be chosen again
		take(files);
	};
}
$("form").onsubmit = (event) => (event.preventDefault(), $("choose").click());

document.addEventListener("paste", (event) => {
	const files = plain(event.clipboardData?.files || []);
	if (!files.length) return;
	event.preventDefault();
	const stamp = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
	take(files.map(({ file }) => ({ path: "", file: file.name === "image.png" ? new File([file], `pasted ${stamp}.png`, { type: file.type }) : file })));
});

let depth = 0;
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
	if (!carriesFiles(event)) return;
	event.preventDefault();
	depth++;
	$("veil").hidden = false;
});
addEventListener("dragover", (event) => {
	if (!carriesFiles(event)) return;
	event.preventDefault();
	event.dataTransfer.dropEffect = "copy";
});
addEventListener("dragleave", (event) => {
	if (carriesFiles(event) && --depth <= 0) endDrag();
});
addEventListener("drop", async (event) => {
	if (!carriesFiles(event)) return;
	event.preventDefault();
	endDrag();
	// Entries have to be asked for before the first await: afterwards the event is empty.
	const items = [...event.dataTransfer.items].filter((item) => item.kind === "file").map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
	const found = [];
	for (const { entry, file } of items) {
		if (entry?.isDirectory) await walk(entry, found);
		else if (file) found.push({ file, path: "" });
	}
	take(found);
});
function endDrag() {
	depth = 0;
	$("veil").hidden = true;
}

/** All files below a dropped folder; what cannot be read is left out. */
async function walk(folder, found) {
	const reader = folder.createReader();
	for (;;) {
		const entries = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
		if (!entries.length) return;
		for (const entry of entries) {
			if (entry.isDirectory) await walk(entry, found);
			else {
				const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
				if (file) found.push({ file, path: entry.fullPath.slice(1) });
			}
		}
	}
}

// ---- who is asking

function askKey() {
	$("key-text").value = "";
	$("key").returnValue = "cancel";
	$("key").showModal();
}
$("key-open").onclick = askKey;
$("key").onclose = () => {
	const did = $("key").returnValue;
	const text = $("key-text").value.trim();
	$("key-text").value = "";
	if (did === "forget") setBearer("");
	else if (did === "use" && text) setBearer(text);
	else return;
	queue.learn().then(() => {
		queue.items.filter((item) => item.problem?.slug === "unauthorized").forEach((item) => queue.retry(item));
		list.load();
	});
};
