// transport.js: one request, its progress, and what its failure means.

import { bearer, recall, remember } from "./store.js";

/** Why it did not work: a slug, the server's or one of ours (offline, aborted ...); told: the problem document. */
export class Refusal extends Error {
	constructor(slug, status = 0, told = {}) {
		super(slug);
		Object.assign(this, { slug, status, told });
	}
}

// what a web server in front answers by itself
const SLUGS = { 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 408: "body_timeout", 410: "expired", 411: "length_required",
	413: "too_large", 415: "type_refused", 429: "busy", 502: "server_gone", 503: "busy", 504: "server_gone", 507: "insufficient_storage" };

export function refusalOf(status, text) {
	let told = {};
	try {
		told = JSON.parse(text) || {};
	} catch { /* not waybill's own */ }
	return new Refusal(told.error || SLUGS[status] || (status < 500 ? "bad_request" : "internal"), status, told);
}

export const credentials = (token = bearer()) => (token ? { Authorization: `Bearer ${token}` } : {});

/**
 * Send with progress. Resolves with the XMLHttpRequest if its status is one of `fine`; else a Refusal, also aborted,
 * network (no answer), body_timeout (nothing moved for `stall` ms). onsent(): all is out, the answer awaited.
 */
export function send(method, url, fine, { headers, body, onprogress, onsent, signal, stall } = {}) {
	return new Promise((resolve, reject) => {
		const xhr = new XMLHttpRequest();
		let timer = 0;
		const end = (slug) => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", stop);
			xhr.onloadend = null;
			if (slug) xhr.abort();
			if (!slug && fine.includes(xhr.status)) resolve(xhr);
			else reject(slug ? new Refusal(slug) : refusalOf(xhr.status, xhr.responseText));
		};
		const stop = () => end("aborted");
		const alive = () => {
			clearTimeout(timer);
			if (stall) timer = setTimeout(end, stall, "body_timeout");
		};
		if (signal?.aborted) return stop();
		signal?.addEventListener("abort", stop);
		xhr.open(method, url);
		for (const [name, value] of Object.entries({ Accept: "application/json", ...credentials(), ...headers })) xhr.setRequestHeader(name, value);
		xhr.upload.onprogress = (event) => {
			alive();
			onprogress?.(event.loaded);
		};
		xhr.upload.onload = () => onsent?.();
		xhr.onloadend = () => end(xhr.status ? "" : "network");
		alive();
		xhr.send(body);
	});
}

export async function ask(url, { headers, ...options } = {}) {
	let answer, text;
	try {
		answer = await fetch(url, { cache: "no-cache", headers: { Accept: "application/json", ...credentials(), ...headers }, ...options });
		text = await answer.text();
	} catch (error) {
		throw new Refusal(error.name === "AbortError" ? "aborted" : navigator.onLine ? "server_gone" : "offline");
	}
	if (!answer.ok) throw refusalOf(answer.status, text);
	return text && JSON.parse(text);
}

export const askPolicy = () => ask("upload");

export async function sendForm(file, fields, hooks) {
	const form = new FormData();
	for (const [name, value] of fields) form.append(name, value);
	form.append("file", file);
	const xhr = await send("POST", "upload", [201], { ...hooks, body: form, onprogress: (n) => hooks.onprogress(Math.min(n, file.size)) });
	return JSON.parse(xhr.responseText).files[0];
}

// The page opens without what only large files need.
export const tus = () => import("./tus.js").catch(() => {
	throw new Refusal("network");
});

export function endTus(key) {
	const it = recall(key);
	remember(key);
	if (it) send("DELETE", it.url, [204], { headers: { "Tus-Resumable": "1.0.0" } }).catch(() => {});
}

/** No answer came: why? A server that refuses early resets the connection, and the browser hides what it said. */
export async function diagnose(file) {
	try {
		await file.slice(0, 1).arrayBuffer();
	} catch {
		return new Refusal("unreadable");
	}
	try {
		const { max_bytes } = await askPolicy();
		return file.size > max_bytes ? new Refusal("too_large", 0, { max_bytes }) : new Refusal("connection_reset");
	} catch (refusal) {
		return refusal;
	}
}
