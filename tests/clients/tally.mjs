/* tally.mjs: named checks, counted; each client's script ends in `N passed, N failed`. */
import { createHash } from 'node:crypto';
import { noise } from '../chance.mjs';

let passed = 0;
let failed = 0;
let running = ''; // the check's name

export async function check(name, body) {
	running = name;
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error('no end in 60 seconds')), 60_000);
	});
	try {
		await Promise.race([body(), late]);
		passed++;
	} catch (error) {
		failed++;
		console.error(`FAILED ${name}: ${error.stack ?? error}`);
	} finally {
		clearTimeout(timer);
	}
}

export function finish() {
	console.log(`${passed} passed, ${failed} failed`);
	process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

export function equal(got, want, what) {
	if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export const sha256 = bytes => createHash('sha256').update(bytes).digest('hex');

/* Bytes that no type check takes for a program. */
export function someBytes(size) {
	const bytes = noise(size, running);
	if (size >= 16) bytes.write('waybill test', 0, 'latin1');
	return bytes;
}

/* The record of an upload, once its content was read back and found to be `bytes`. */
export async function kept(endpoint, uploadUrl, bytes) {
	const id = new URL(uploadUrl).pathname.split('/').pop();
	const files = endpoint.replace(/upload$/, `files/${id}`);
	const answer = await fetch(files);
	equal(answer.status, 200, `GET ${files}`);
	const record = await answer.json();
	equal(record.size, bytes.length, 'size');
	equal(record.sha256, sha256(bytes), 'sha256');
	const content = Buffer.from(await (await fetch(`${files}/content`)).arrayBuffer());
	equal(sha256(content), sha256(bytes), 'content read back');
	return record;
}
