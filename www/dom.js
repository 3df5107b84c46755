// dom.js: how this page makes elements. What comes from outside only ever goes in as text.

import { splitName, visible } from "./format.js";

export const $ = (id) => document.getElementById(id);

/** el("button", {class: "tool", onclick}, "text", child) */
export function el(tag, attributes, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (typeof value === "function") node[name] = value;
		else if (value != null) node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}

export function icon(name) {
	const [svg, use] = ["svg", "use"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
	svg.setAttribute("class", "icon");
	svg.setAttribute("aria-hidden", "true");
	use.setAttribute("href", `#i-${name}`);
	svg.append(use);
	return svg;
}

export function nameOf(raw) {
	const [stem, end] = splitName(visible(raw));
	return el("bdi", { class: "name", title: visible(raw) }, el("span", { class: "stem" }, stem), el("span", {}, end));
}

export const tool = (picture, label, onclick) => el("button", { class: "tool", "aria-label": label, title: label, onclick }, icon(picture));

export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// What comes in quick succession is said together, at most every 1.5 s.
const pending = new Set();
export function announce(text) {
	if (!pending.size) setTimeout(() => {
		const all = [...pending];
		$("live").textContent = all.slice(-3).join(" ") + (all.length > 3 ? ` And ${all.length - 3} more.` : "");
		pending.clear();
	}, 1500);
	pending.add(text);
}

export async function copy(text, what) {
	let done = true;
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		// without https: the old way, through a field
		const back = document.activeElement;
		const field = el("textarea", { class: "away" });
		field.value = text;
		(document.querySelector("dialog[open]") ?? document.body).append(field);
		field.select();
		done = document.execCommand("copy");
		field.remove();
		back.focus();
	}
	announce(`${what} ${done ? "copied" : "could not be copied"}.`);
}
