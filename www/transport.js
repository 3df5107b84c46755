// transport.js: one request, its progress, and what its failure means.

import { cuttable } from "./network.js";
import { bearer } from "./store.js";

// why it did not work: a slug, the server's or one of ours; the problem document
export class Refusal extends Error {
	constructor(slug, status = 0, told = {}) {
		super(slug);
		Object.assign(this, { slug, status, told });
	}
}

export const STALL = 75_000; // ms; a little more than the server's
// goes in one request: to start anew costs less than to ask how far it got
export const isSmall = ({ size }) => size < 2 ** 18;

// what a web server in front answers by itself
const SLUGS = { 401: "unauthorized", 403: "forbidden", 408: "body_timeout", 411: "length_required", 413: "too_large", 429: "busy",
	502: "server_gone", 503: "busy", 504: "server_gone", 507: "insufficient_storage" };

function refusalOf(status, text) {
	let told = {};
	try {
		told = JSON.parse(text) || {};
	} catch { /* not waybill's own */ }
	return new Refusal(told.error || SLUGS[status] || (status < 500 ? "refused" : "internal"), status, told);
}

export const credentials = (token = bearer()) => (token ? { Authorization: `Bearer ${token}` } : {});

// Resolves with the XMLHttpRequest if its status is one of `fine`; else a Refusal: also aborted, network (no answer),
// body_timeout (nothing moved for `stall` ms).
export function send(method, url, fine, { headers, body, onprogress, onsent, signal, stall }) {
	return new Promise((resolve, reject) => {
		const xhr = new XMLHttpRequest();
		let timer = 0;
		const fail = (slug) => {
			reject(new Refusal(slug));
			xhr.abort();
		};
		const alive = () => {
			clearTimeout(timer);
			if (stall) timer = setTimeout(fail, stall, "body_timeout");
		};
		if (signal?.aborted) return fail("aborted");
		signal?.addEventListener("abort", () => fail("aborted"));
		xhr.open(method, url);
		for (const [name, value] of Object.entries({ ...credentials(), ...headers })) xhr.setRequestHeader(name, value);
		if (body) {
			xhr.upload.onprogress = ({ loaded }) => {
				alive();
				onprogress?.(loaded);
			};
			xhr.upload.onload = () => onsent?.();
		}
		xhr.onloadend = () => {
			clearTimeout(timer);
			if (!xhr.status) fail("network");
			else if (fine.includes(xhr.status)) resolve(xhr);
			else reject(refusalOf(xhr.status, xhr.responseText));
		};
		alive();
		xhr.send(body);
	});
}

export async function ask(url, options) {
	let answer, text;
	try {
		answer = await fetch(url, { cache: "no-cache", headers: credentials(), ...options });
		text = await answer.text();
	} catch {
		throw new Refusal(navigator.onLine ? "server_gone" : "offline");
	}
	if (!answer.ok) throw refusalOf(answer.status, text);
	return text && JSON.parse(text);
}

export const askPolicy = () => ask("upload", { signal: AbortSignal.timeout(10_000) });

// In one request. Sent again with the same key it makes no second file, so that a lost answer may be asked for once more.
export async function sendWhole(item) {
	const { name, path, keep, file, secret } = item;
	const query = new URLSearchParams({ name, ...(path && { path }), ...(keep && { expires_in: keep }) });
	const cut = cuttable(item.cut.signal);
	const timer = setTimeout(() => cut.abort(), STALL);
	try {
		// Hundreds cost a browser less so than by XMLHttpRequest, and of one there is no progress to be seen.
		return (await ask(`upload/file?${query}`, { method: "PUT", body: file, signal: cut.signal, headers: { ...credentials(), "Idempotency-Key": secret } })).files[0];
	} catch (error) {
		throw error.status ? error : new Refusal("network");
	} finally {
		clearTimeout(timer);
		cut.abort(); // and with it what listens
	}
}

// With a note; and all, where only forms get through.
export async function sendForm(item) {
	const form = new FormData();
	for (const [name, key] of Object.entries({ note: "note", path: "path", expires_in: "keep", idempotency_key: "secret", file: "file" })) if (item[key]) form.append(name, item[key]);
	const told = { onprogress: (n) => item.moved(Math.min(n, item.size)), onsent: () => item.turn("storing") };
	const xhr = await send("POST", "upload", [201], { body: form, signal: item.cut.signal, stall: isSmall(item) && STALL, ...told });
	return JSON.parse(xhr.responseText).files[0];
}

// No answer: why? A server that refuses early resets the connection, and the browser hides what it said.
export async function diagnose({ file, size }, error) {
	const readable = await file.slice(0, 1).arrayBuffer().catch(() => false);
	if (!readable) return new Refusal("unreadable");
	const told = await askPolicy().catch((refusal) => refusal);
	if (told instanceof Refusal) return told;
	if (size > told.max_bytes) return new Refusal("too_large", 0, told);
	return /^(network|aborted)$/.test(error.slug) ? new Refusal("connection_reset") : error;
}
