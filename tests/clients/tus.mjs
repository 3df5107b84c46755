/* tus.mjs URL: the official JavaScript client of tus, unchanged, against URL (".../upload"). */
import { Readable } from 'node:stream';
import * as tus from 'tus-js-client';
import { check, equal, finish, kept, someBytes } from './tally.mjs';

const endpoint = process.argv[2];

/* One upload to its end; resolves to the client's upload object. */
function upload(source, options, steer) {
	return new Promise((resolve, reject) => {
		const one = new tus.Upload(source, {
			endpoint,
			retryDelays: [0, 50, 200],
			onError: reject,
			onSuccess: () => resolve(one),
			...options,
		});
		steer?.(one);
		one.start();
	});
}

async function status(url, method) {
	return (await fetch(url, { method, headers: { 'Tus-Resumable': '1.0.0' } })).status;
}

await check('one request', async () => {
	const bytes = someBytes(300_000);
	const metadata = { filename: 'Übersicht.bin', filetype: 'application/octet-stream', note: 'für uns' };
	const record = await kept(endpoint, (await upload(bytes, { metadata })).url, bytes);
	equal(record.name, 'Übersicht.bin', 'name');
	equal(record.declared_type, 'application/octet-stream', 'declared type');
	equal(record.fields.note, 'für uns', 'field');
});

await check('chunks', async () => {
	const bytes = someBytes(3_000_001);
	let requests = 0;
	const done = await upload(bytes, { chunkSize: 700_000, onAfterResponse: () => void requests++ });
	await kept(endpoint, done.url, bytes);
	equal(requests, 1 + 5, 'requests');
});

await check('creation with upload', async () => {
	const bytes = someBytes(1_500_000);
	const done = await upload(bytes, { uploadDataDuringCreation: true, chunkSize: 1_000_000 });
	await kept(endpoint, done.url, bytes);
});

await check('nothing at all', async () => {
	const bytes = Buffer.alloc(0);
	await kept(endpoint, (await upload(bytes, {})).url, bytes);
});

await check('deferred length', async () => {
	const bytes = someBytes(2_500_000);
	const stream = Readable.from([bytes.subarray(0, 900_000), bytes.subarray(900_000)], { objectMode: false });
	const done = await upload(stream, { uploadLengthDeferred: true, chunkSize: 1_000_000 });
	await kept(endpoint, done.url, bytes);
});

await check('parallel uploads', async () => {
	const bytes = someBytes(4_000_003);
	const done = await upload(bytes, { parallelUploads: 4, metadata: { filename: 'four.bin' } });
	const record = await kept(endpoint, done.url, bytes);
	equal(record.name, 'four.bin', 'name of the whole');
});

await check('paused and resumed', async () => {
	const bytes = someBytes(4_000_000);
	let url;
	await new Promise((resolve, reject) => {
		const first = new tus.Upload(bytes, {
			endpoint,
			chunkSize: 1_000_000,
			onError: reject,
			onChunkComplete: (_, sent) => {
				if (sent < 2_000_000) return;
				url = first.url;
				first.abort().then(resolve, reject);
			},
		});
		first.start();
	});
	const offsets = [];
	const second = await upload(bytes, {
		uploadUrl: url,
		onBeforeRequest: request => void offsets.push(request.getHeader('Upload-Offset')),
	});
	const from = Number(offsets.find(offset => offset !== undefined));
	if (!(from >= 2_000_000)) throw new Error(`resumed at ${from}`);
	await kept(endpoint, second.url, bytes);
});

await check('cut off in the middle of a request, then resumed', async () => {
	const bytes = someBytes(30_000_000);
	let url;
	await new Promise((resolve, reject) => {
		const first = new tus.Upload(bytes, {
			endpoint,
			retryDelays: null,
			onError: reject,
			onProgress: sent => {
				if (sent === 0 || url !== undefined) return;
				url = first.url;
				first.abort().then(resolve, reject);
			},
		});
		first.start();
	});
	await kept(endpoint, (await upload(bytes, { uploadUrl: url })).url, bytes);
});

await check('terminated', async () => {
	const one = await new Promise((resolve, reject) => {
		const upload = new tus.Upload(someBytes(1_000_000), {
			endpoint,
			chunkSize: 400_000,
			onError: reject,
			onChunkComplete: () => upload.abort(true).then(() => resolve(upload), reject),
		});
		upload.start();
	});
	const gone = await status(one.url, 'HEAD');
	if (gone !== 404 && gone !== 410) throw new Error(`HEAD after termination: ${gone}`);
});

finish();
