// transport.js: one request, its progress, and what its failure means.

import { bearer } from "./store.js";

/** The server said no: its slug, status, and all it told. */
export class Refusal extends Error {
	constructor(slug, status, told = {}) {
		super(told.detail || slug);
		Object.assign(this, { slug, status, told });
	}
}
/** No answer came. kind: network, stall, aborted. */
export class Failure extends Error {
	constructor(kind) {
		super(kind);
		this.kind = kind;
	}
}

// For answers that are not waybill's own but the web server's in front of it.
const SLUGS = { 400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed", 408: "body_timeout",
	409: "offset_conflict", 410: "expired", 411: "length_required", 412: "tus_version", 413: "too_large", 414: "name_too_long",
	415: "type_refused", 422: "digest_mismatch", 423: "locked", 429: "busy", 460: "checksum_mismatch", 502: "server_gone", 503: "busy",
	504: "server_gone", 507: "insufficient_storage" };

export function refusalOf(status, text) {
	let told = {};
	try {
		told = JSON.parse(text) || {};
	} catch { /* an HTML page of the web server */ }
	const slug = typeof told.error === "string" ? told.error : SLUGS[status] || (status < 500 ? "bad_request" : "internal");
	return new Refusal(slug, status, told);
}

export function credentials(own) {
	const token = own || bearer();
	return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * Send with progress. Resolves with the XMLHttpRequest whatever the status; rejects with a Failure.
 * onprogress(bytes of the body out); onsent(): all of it is out, the answer is awaited; stall: give up
 * after so many ms without a byte moving.
 */
export function send(method, url, { headers = {}, body = null, onprogress, onsent, signal, stall = 0 } = {}) {
	return new Promise((resolve, reject) => {
		const xhr = new XMLHttpRequest();
		let timer = 0;
		const alive = () => {
			clearTimeout(timer);
			if (stall) timer = setTimeout(() => end(new Failure("stall")), stall);
		};
		const stop = () => end(new Failure("aborted"));
		const end = (failure) => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", stop);
			xhr.onloadend = null;
			if (failure) {
				reject(failure);
				xhr.abort();
			} else resolve(xhr);
		};
		if (signal?.aborted) return reject(new Failure("aborted"));
		signal?.addEventListener("abort", stop);
		xhr.open(method, url);
		for (const [name, value] of Object.entries({ Accept: "application/json", ...credentials(), ...headers })) xhr.setRequestHeader(name, value);
		if (onprogress || stall) xhr.upload.onprogress = (e) => {
			alive();
			onprogress?.(e.loaded);
		};
		xhr.upload.onload = () => onsent?.();
		xhr.onloadend = () => end(xhr.status ? null : new Failure("network"));
		alive();
		xhr.send(body);
	});
}

/** A small JSON question. Throws Refusal or Failure. */
export async function ask(url, { method = "GET", headers = {}, signal, keepalive = false } = {}) {
	let answer, text;
	try {
		answer = await fetch(url, { method, signal, keepalive, cache: "no-cache", headers: { Accept: "application/json", ...credentials(), ...headers } });
		text = await answer.text();
	} catch (e) {
		throw new Failure(e.name === "AbortError" ? "aborted" : "network");
	}
	if (!answer.ok) throw refusalOf(answer.status, text);
	try {
		return text ? JSON.parse(text) : null;
	} catch {
		throw new Refusal("internal", answer.status);
	}
}

const globs = (x) => (Array.isArray(x) ? x : typeof x === "string" ? x.split(",") : []).map((g) => String(g).trim()).filter(Boolean);

/** GET upload: what is taken here. */
export async function askPolicy() {
	const told = await ask("upload");
	return { ...told, allow: globs(told.allow_types), deny: globs(told.deny_types) };
}

/** A whole file in one form; its record. */
export async function sendForm(file, fields, hooks) {
	const form = new FormData();
	for (const [name, value] of fields) form.append(name, value);
	form.append("file", file, file.name);
	// The form's own frame is a few hundred bytes: near enough for a bar.
	const xhr = await send("POST", "upload", { ...hooks, body: form, onprogress: (n) => hooks.onprogress(Math.min(n, file.size)) });
	if (xhr.status !== 201) throw refusalOf(xhr.status, xhr.responseText);
	const record = JSON.parse(xhr.responseText).files?.[0];
	if (!record) throw new Refusal("internal", xhr.status);
	return record;
}

/** Nothing came back for a body of so many bytes: find out why, as a Refusal with a slug of our own. */
export async function diagnose(file, failure) {
	if (failure.kind === "stall") return new Refusal("body_timeout", 0);
	try {
		await file.slice(0, 1).arrayBuffer();
	} catch {
		return new Refusal("unreadable", 0);
	}
	if (!navigator.onLine) return new Refusal("offline", 0);
	try {
		const policy = await askPolicy();
		return file.size > policy.max_bytes ? new Refusal("too_large", 0, { max_bytes: policy.max_bytes }) : new Refusal("connection_reset", 0);
	} catch (e) {
		if (e instanceof Refusal && e.slug === "unauthorized") return e;
		return new Refusal(navigator.onLine ? "server_gone" : "offline", 0);
	}
}
