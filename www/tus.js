// tus.js: a small tus 1.0.0 client that goes on where it stopped: after lost networks, restarts, pauses, reloads.

import { Refusal, diagnose, send } from "./transport.js";
import { fileKey, recall, remember } from "./store.js";

const STALL = 75_000; // a little more than the server's default
const WAITS = [1, 2, 4, 8, 15, 30]; // seconds between tries
const PASSING = /^(offline|server_gone|connection_reset|body_timeout|offset_conflict|locked|busy|checksum_mismatch|incomplete_body|internal)$/;
const VERSION = { "Tus-Resumable": "1.0.0" };

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function create(file, metadata, signal) {
	const pairs = metadata.filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`);
	const xhr = await send("POST", "upload", [201], { headers: { ...VERSION, "Upload-Length": file.size, "Upload-Metadata": pairs.join() }, signal, stall: STALL });
	const url = new URL(xhr.getResponseHeader("Location"), document.baseURI);
	if (url.origin !== location.origin) throw new Refusal("bad_request");
	return { url: url.href, name: file.name, size: file.size, at: 0 };
}

// -1: the server knows this upload no more
async function offsetOf(url, size, signal) {
	const xhr = await send("HEAD", url, [200, 204, 403, 404, 410], { headers: VERSION, signal, stall: STALL });
	return Number(xhr.getResponseHeader("Upload-Length")) === size ? Number(xhr.getResponseHeader("Upload-Offset") ?? -1) : -1;
}

// no longer than until the network is back
function rest(seconds, signal) {
	return new Promise((resolve) => {
		setTimeout(resolve, seconds * 1000);
		addEventListener("online", resolve, { once: true });
		signal.addEventListener("abort", resolve);
	});
}

// Offline nothing moves and nothing fails either: cut what is under way, to take it up again.
function cuttable(signal) {
	const cut = new AbortController();
	const stop = () => cut.abort();
	signal.addEventListener("abort", stop);
	addEventListener("offline", stop, { signal: cut.signal });
	return cut;
}

/**
 * Send a file, taking up an earlier attempt. Abort `signal` to pause: calling again goes on.
 * hooks: onprogress(bytes), onsent(), onwait(seconds, refusal) before a new try, ongo() when it moves.
 */
export async function sendTus(file, metadata, chunk, hooks, signal) {
	const key = fileKey(file);
	const { size } = file;
	let it = recall(key);
	let offset = -1;
	for (let tries = 0; ;) {
		const { signal: cut } = cuttable(signal);
		try {
			if (it) offset = await offsetOf(it.url, size, cut);
			if (offset < 0) {
				it = await create(file, metadata, cut);
				offset = 0;
			}
			remember(key, it);
			hooks.ongo();
			while (offset < size) {
				const from = offset;
				const end = Math.min(from + chunk, size);
				hooks.onprogress(from);
				const xhr = await send("PATCH", it.url, [200, 204], {
					signal: cut, stall: STALL, body: file.slice(from, end), headers: { ...VERSION, "Content-Type": "application/offset+octet-stream", "Upload-Offset": from },
					onprogress: (n) => hooks.onprogress(from + n), onsent: () => end === size && hooks.onsent(),
				});
				offset = Number(xhr.getResponseHeader("Upload-Offset"));
				if (!(offset > from)) throw new Refusal("offset_conflict");
				it.at = offset;
				it.token = xhr.getResponseHeader("Waybill-Delete-Token");
				remember(key, it);
				tries = 0;
			}
			remember(key);
			return { id: it.url.split("/").at(-1), delete_token: it.token }; // a finished upload keeps its id
		} catch (error) {
			if (signal.aborted) throw error;
			const refusal = error.status ? error : await diagnose(file);
			if (refusal.slug === "type_refused" || refusal.status === 410) remember(key);
			if (!PASSING.test(refusal.slug) || (refusal.status && tries > WAITS.length)) throw refusal;
			const seconds = WAITS[Math.min(tries++, WAITS.length - 1)];
			hooks.onwait(seconds, refusal);
			await rest(seconds, signal);
			if (signal.aborted) throw new Refusal("aborted");
		}
	}
}
