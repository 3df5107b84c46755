// dom.js: the few ways this page makes elements. Text only ever goes in as text.

import { splitName, visible } from "./format.js";

export const $ = (id) => document.getElementById(id);

/** el("button", {class: "tool", onclick}, "text", child, null) */
export function el(tag, attributes = {}, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === "function") node.addEventListener(name.slice(2), value);
		else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.filter((child) => child !== null));
	return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function icon(name) {
	const svg = document.createElementNS(SVG, "svg");
	svg.setAttribute("class", "icon");
	svg.setAttribute("aria-hidden", "true");
	const use = document.createElementNS(SVG, "use");
	use.setAttribute("href", `#i-${name}`);
	svg.append(use);
	return svg;
}

export function nameOf(raw, tag = "bdi") {
	const [stem, end] = splitName(visible(raw));
	return el(tag, { class: "name", title: visible(raw), dir: "auto" }, el("span", { class: "stem" }, stem), el("span", { class: "end" }, end));
}

/** A button that is only an icon; `label` is what it is called. */
export function tool(name, label, title, onclick, tag = "button") {
	return el(tag, { class: "tool", "aria-label": label, title, onclick, ...(tag === "button" && { type: "button" }) }, icon(name));
}

export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// The live region: what is said in quick succession is said together, and never more than every 1.5 s.
let pending = [];
let timer = 0;
export function announce(text) {
	if (!pending.includes(text)) pending.push(text);
	if (timer) return;
	timer = setTimeout(() => {
		$("live").textContent = pending.length > 3 ? `${pending.slice(-3).join(" ")} And ${pending.length - 3} more.` : pending.join(" ");
		pending = [];
		timer = 0;
	}, 1500);
}

export async function copy(text, what) {
	try {
		await navigator.clipboard.writeText(text);
		announce(`${what} copied.`);
		return true;
	} catch {
		// Without https there is no clipboard for scripts: the old way, through a field.
		const field = el("textarea", { readonly: true, class: "away" });
		field.value = text;
		const back = document.activeElement;
		(document.querySelector("dialog[open]") || document.body).append(field);
		field.select();
		const done = document.execCommand("copy");
		field.remove();
		back?.focus();
		announce(done ? `${what} copied.` : `${what} could not be copied.`);
		return done;
	}
}
