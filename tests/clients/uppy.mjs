/* uppy.mjs URL: Uppy with its tus plugin, unchanged, in Debian's Chromium, against URL (".../upload"). */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from '@playwright/test';
import { check, equal, finish, kept, someBytes } from './tally.mjs';

const endpoint = process.argv[2];
const origin = new URL(endpoint).origin;

const bundle = await build({
	stdin: {
		contents: `import Uppy from '@uppy/core'; import Tus from '@uppy/tus'; Object.assign(window, { Uppy, Tus });`,
		resolveDir: fileURLToPath(new URL('.', import.meta.url)),
	},
	bundle: true,
	format: 'iife',
	write: false,
	logLevel: 'error',
});

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage();
/* The test page pretends to live on waybill's own origin, so that no rule of CORS comes into play. */
await page.route(`${origin}/uppy-test`, route =>
	route.fulfill({
		contentType: 'text/html',
		body: '<!doctype html><meta charset="utf-8"><title>Uppy</title><input type="file" multiple>',
	}),
);
await page.goto(`${origin}/uppy-test`);
await page.addScriptTag({ content: bundle.outputFiles[0].text });

/* Give the files to Uppy and wait for its result: names to upload URLs. */
async function upload(files, options) {
	await page.setInputFiles('input', files);
	return page.evaluate(
		async ({ endpoint, options }) => {
			const uppy = new window.Uppy({ autoProceed: false });
			uppy.use(window.Tus, { endpoint, retryDelays: [0, 100], ...options });
			for (const file of document.querySelector('input').files)
				uppy.addFile({ name: file.name, type: file.type, data: file });
			const result = await uppy.upload();
			uppy.destroy();
			return {
				urls: Object.fromEntries(result.successful.map(file => [file.name, file.uploadURL])),
				errors: result.failed.map(file => file.error),
			};
		},
		{ endpoint, options },
	);
}

async function uploadAndCompare(files, options) {
	const result = await upload(files, options);
	equal(result.errors.join('; '), '', 'errors');
	for (const file of files) {
		const record = await kept(endpoint, new URL(result.urls[file.name], origin).href, file.buffer);
		equal(record.name, file.name, 'name');
		equal(record.declared_type, file.mimeType, 'declared type');
	}
}

const file = (name, size) => ({ name, mimeType: 'application/x-waybill-test', buffer: someBytes(size) });

await check('one file', () => uploadAndCompare([file('Größe.bin', 200_000)], {}));
await check('several files in chunks', () =>
	uploadAndCompare([file('a.bin', 1_200_000), file('b.bin', 900_000), file('c.bin', 1)], { chunkSize: 500_000 }),
);
await check('parallel parts', () => uploadAndCompare([file('parts.bin', 3_000_000)], { parallelUploads: 3 }));
await check('network lost and found again', async () => {
	let cut = 0;
	await page.route('**/upload/*', route =>
		route.request().method() === 'PATCH' && cut++ < 2 ? route.abort('connectionreset') : route.continue(),
	);
	await uploadAndCompare([file('train.bin', 1_500_000)], { chunkSize: 400_000 });
	await page.unroute('**/upload/*');
	if (cut < 3) throw new Error('the network was never lost');
});

await browser.close();
finish();
