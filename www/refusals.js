// refusals.js: every way it can fail, in plain words: what happened, and what to do. Pure.

import { bytes } from "./format.js";

const server = "That is for whoever runs this server to put right.";

/** slug -> (what the server told, {size, name}) -> [what happened, what to do] */
const SENTENCES = {
	too_large: (t, f) => [f.size > t.max_bytes || !t.max_bytes ? `The file is too large: ${bytes(f.size)}.` : "The file and its form together are too large.",
		t.max_bytes ? `This server takes at most ${bytes(t.max_bytes)} at a time. Split it or make it smaller.`
			: "The web server in front has a smaller limit than expected. Split the file or make it smaller, or tell whoever runs the server."],
	type_refused: (t) => [t.detected_type ? `The server looked inside and found ${t.detected_type}, which it does not take.` : "The server does not take files of this type.",
		t.allow?.length ? `It takes ${list(t.allow)}. Convert the file, or ask whoever runs the server.` : "Ask whoever runs the server, or put the file into an archive if that is allowed."],
	length_required: () => ["The request arrived without its length (411).", `Your browser sends it, so something between here and the server drops it, most likely a proxy. ${server}`],
	insufficient_storage: () => ["The server has no room left for this file.", "Nothing was stored. Send something smaller, or try again when there is space."],
	quota_exceeded: () => ["This file would go over what you may keep here.", "Nothing was stored. Delete something of yours below, then retry."],
	body_timeout: () => ["The connection stood still too long and the server stopped waiting.", "Check the network, then retry."],
	unauthorized: () => ["The server wants to know who is sending.", "Enter a token, or sign in, then retry."],
	forbidden: () => ["You may not send files here.", "Ask whoever runs the server for the right to."],
	cross_site: () => ["The server took this for a request from another site.", "Open the page by its own address, not inside another one, and retry."],
	offline: () => ["This device is offline.", "It goes on by itself when the network is back."],
	server_gone: () => ["The server does not answer.", "It may be restarting. Retry in a moment."],
	connection_reset: () => ["The connection broke off before the server answered.", "Look below whether the file arrived after all. If not, retry; if it happens again, a server in between probably has a smaller limit."],
	unreadable: () => ["The file can no longer be read; it was moved, changed or is a folder.", "Choose it again."],
	busy: () => ["The server is busy.", "Nothing was stored. Retry in a moment."],
	internal: () => ["The server failed.", `Nothing was stored. Retry; if it stays so, its log has the reason. ${server}`],
	bad_length: () => ["The length of the request was garbled on its way.", server],
	incomplete_body: () => ["Not all of the file reached the server.", "Nothing was stored. Retry; if the file is being written to, wait until that is done."],
	bad_multipart: () => ["The form was garbled on its way.", "Retry."],
	no_file: () => ["The form arrived without a file.", "Choose it again."],
	bad_request: () => ["The server could not make sense of the request.", "Reload the page and retry."],
	not_found: () => ["There is nothing at this address any more.", "Reload the page."],
	method_not_allowed: () => ["Uploads are not taken at this address.", server],
	expired: () => ["This upload was left lying too long and has been cleared away.", "Retry: it starts anew."],
	gone: () => ["This upload was ended from elsewhere.", "Retry: it starts anew."],
	offset_conflict: () => ["Server and page disagree about how much has arrived.", "Retry: it goes on from what the server has."],
	locked: () => ["Another connection is still sending this same file.", "Close the other tab, or wait a moment and retry."],
	tus_version: () => ["Server and page speak different versions of the upload protocol.", "Reload the page."],
	too_many_files: () => ["Too many files at once.", "Send fewer."],
	fields_too_large: () => ["The note is too long.", "Shorten it and retry."],
	name_too_long: () => ["The name of the file is too long.", "Rename it to at most 255 bytes and retry."],
	unsupported_form: () => ["The form was not sent as multipart/form-data.", "Reload the page."],
	unsupported_type: () => ["The server did not recognise this part of an upload.", "Reload the page."],
	digest_mismatch: () => ["What arrived is not what was sent.", "Nothing was stored. Retry."],
	checksum_mismatch: () => ["A piece was damaged on its way.", "It was thrown away. Retry: it goes on from there."],
};

/** These will end the same way however often one tries. */
const FINAL = new Set(["too_large", "type_refused", "name_too_long", "unreadable"]);

export function list(words) {
	return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** {what, todo, told, final}: `told` is the server's own sentence where ours adds nothing to it. */
export function explain(refusal, file = { size: 0 }) {
	const known = SENTENCES[refusal.slug];
	const [what, todo] = known ? known(refusal.told, file) : [`The server refused it (${refusal.status}).`, ""];
	return { what, todo: known ? todo : refusal.told.detail || "Retry.", final: FINAL.has(refusal.slug) };
}

/** The same for what lies below: reading, deleting. */
export function explainShort(error, doing) {
	const because = { unauthorized: "the server asks who you are; enter a token above", forbidden: "you may not", not_found: "it is no longer there",
		expired: "it has expired" }[error.slug] || (error.kind === "network" ? (navigator.onLine ? "the server does not answer" : "this device is offline") : error.told?.detail);
	return `Could not ${doing}${because ? `: ${because}.` : "."}`;
}
