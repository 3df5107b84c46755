/* examples.mjs URL PORT: the pages of www/examples, as they are but for two addresses, on an origin of their own
 * (127.0.0.1:PORT), in Debian's Chromium, against waybill at URL. */
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from '@playwright/test';
import { startCutter } from '../page/cutter.mjs';
import { check, equal, finish, kept, sha256, someBytes } from './tally.mjs';

const [address, port] = process.argv.slice(2);
const line = await startCutter(address); // to be broken
const waybill = line.url;
const own = `http://127.0.0.1:${port}`;
const endpoint = `${waybill}/upload`;
const here = fileURLToPath(new URL('.', import.meta.url));
const example = name => readFileSync(new URL(`../../www/examples/${name}`, import.meta.url), 'utf8');

/* What uppy.html says is to be bundled. */
const uppy = await build({
	stdin: { contents: example('uppy.html').match(/: (export \{[\s\S]*?@uppy\/tus";)/)[1], resolveDir: here },
	bundle: true, format: 'esm', write: false, logLevel: 'error',
});
const vendor = {
	'/vendor/uppy.js': ['text/javascript', uppy.outputFiles[0].text],
	'/vendor/uppy.css': ['text/css', readFileSync(`${here}/node_modules/@uppy/dashboard/dist/style.min.css`)],
	'/vendor/tus.js': ['text/javascript', readFileSync(`${here}/node_modules/tus-js-client/dist/tus.js`)],
};
createServer((request, answer) => {
	const { pathname } = new URL(request.url, own);
	if (vendor[pathname]) return answer.setHeader('Content-Type', vendor[pathname][0]).end(vendor[pathname][1]);
	if (!/^\/\w+\.html$/.test(pathname)) return answer.writeHead(404).end();
	answer.setHeader('Content-Type', 'text/html').end(
		example(pathname.slice(1)).replaceAll('https://files.example.org', waybill).replaceAll('https://www.example.com', own));
}).listen(port, '127.0.0.1');

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });

/* The page of an example; what it throws, and what it is kept from, fails the check. */
async function open(name) {
	const page = await (await browser.newContext()).newPage();
	page.wrong = [];
	page.on('pageerror', error => page.wrong.push(error.stack));
	page.on('console', line => /CORS|Refused to/.test(line.text()) && page.wrong.push(line.text()));
	await page.goto(`${own}/${name}`);
	return page;
}
async function close(page) {
	equal(page.wrong.join('\n'), '', 'errors of the page');
	await page.context().close();
}
const file = (name, mimeType, buffer) => ({ name, mimeType, buffer });
const text = buffer => file('notes für alle.txt', 'text/plain', buffer);
const waitSaid = (page, words) => page.locator('#said', { hasText: words }).waitFor({ timeout: 50_000 });
const status = async id => (await fetch(`${waybill}/files/${id}`)).status;
const program = file('setup.exe', 'application/octet-stream', readFileSync('/usr/bin/env'));

await check('form.html comes back with the id of what was sent', async () => {
	const page = await open('form.html');
	const bytes = Buffer.from('Born in a harbour.\n');
	await page.getByLabel('Your name').fill('Amal');
	await page.getByLabel('Curriculum vitae').setInputFiles(text(bytes));
	await page.getByRole('button', { name: 'Send' }).click();
	await page.waitForURL(`${own}/form.html?file=*`);
	const record = await kept(endpoint, `x://x/${new URL(page.url()).searchParams.get('file')}`, bytes);
	equal(JSON.stringify(record.fields), '{"applicant":"Amal"}', 'fields');
	equal(record.path, 'applications/2026', 'path');
	equal(Date.parse(record.expires_at) - Date.parse(record.uploaded_at), 30 * 86_400_000, 'how long it is kept');
	await close(page);
});

await check('fetch.html shows progress, the record, and deletes', async () => {
	const page = await open('fetch.html');
	const bytes = Buffer.from('x'.repeat(3_000_000));
	await page.evaluate(() => {
		window.seen = [];
		new MutationObserver(() => window.seen.push(document.getElementById('bar').value)).observe(document.getElementById('bar'), { attributes: true });
	});
	await page.locator('#file').setInputFiles(text(bytes));
	await waitSaid(page, sha256(bytes));
	equal(await page.evaluate(() => window.seen.at(-1)), 1, 'the last that the bar showed');
	const href = await page.locator('#link').getAttribute('href');
	const id = href.split('/').at(-2);
	await kept(endpoint, `x://x/${id}`, bytes);
	const shown = await fetch(href);
	equal(shown.headers.get('content-disposition').split(';')[0], 'inline', 'disposition of the link');
	await page.getByRole('button', { name: 'Delete it' }).click();
	await waitSaid(page, 'Deleted.');
	equal(await status(id), 404, 'status afterwards');
	await close(page);
});

for (const name of ['fetch.html', 'tus.html'])
	await check(`${name} shows why a file is refused`, async () => {
		const page = await open(name);
		await page.locator('#file').setInputFiles(program);
		await waitSaid(page, 'setup.exe');
		await close(page);
	});

await check('tus.html goes on after a broken line and after a closed tab, and deletes', async () => {
	const first = await open('tus.html');
	const bytes = someBytes(12_000_000);
	const folder = mkdtempSync(`${tmpdir()}/wbt-examples-`);
	const large = `${folder}/large.bin`; /* on disk: the client knows a file again by its time, too */
	writeFileSync(large, bytes);
	const offsets = page => {
		const all = [];
		page.on('request', request => request.method() === 'PATCH' && all.push(Number(request.headers()['upload-offset'])));
		return all;
	};
	const before = offsets(first);
	line.cutAt = [4e6, 9e6].map(sent => line.up + sent);
	line.pause = 300;
	await first.locator('#file').setInputFiles(large);
	for (let i = 0; i < 800 && !(before.at(-1) > 0); i++) await first.waitForTimeout(50);
	equal(before.at(-1) > 0, true, `it went on from ${before}`);
	await first.getByRole('button', { name: 'Pause' }).click();
	equal(line.cuts >= 1, true, 'cuts');
	line.cutAt = [];
	/* The tab is closed; the browser remembers where the upload is. */
	const page = await first.context().newPage();
	page.wrong = first.wrong.filter(it => !/CORS/.test(it)); /* an answer that never came has no headers either */
	await first.close();
	const after = offsets(page);
	await page.goto(`${own}/tus.html`);
	await page.locator('#file').setInputFiles(large);
	await waitSaid(page, sha256(bytes));
	equal(after[0] > 0, true, `it began at ${after}`);
	rmSync(folder, { recursive: true });
	await page.getByRole('button', { name: 'Delete it' }).click();
	await waitSaid(page, 'Deleted.');
	await close(page);
});

await check('uppy.html takes several, and a folder', async () => {
	const page = await open('uppy.html');
	const [one, two] = [Buffer.from('one\n'), someBytes(1_000_000)];
	await page.locator('.uppy-Dashboard-input').first().setInputFiles([text(one), file('two.bin', 'application/octet-stream', two)]);
	await page.locator('.uppy-StatusBar-actionBtn--upload').click();
	await page.locator('#received li').nth(1).waitFor();
	const lines = await page.locator('#received li').allTextContents();
	for (const bytes of [one, two]) equal(lines.filter(line => line.endsWith(sha256(bytes))).length, 1, lines.join());
	/* As the browser gives Uppy the files of a folder. */
	await page.reload();
	await page.locator('.uppy-Dashboard-input').nth(1).waitFor({ state: 'attached' });
	await page.evaluate(() => {
		const inner = new File(['in a folder\n'], 'deep.txt', { type: 'text/plain' });
		Object.defineProperty(inner, 'webkitRelativePath', { value: 'holiday/day 1/deep.txt' });
		const input = document.querySelectorAll('.uppy-Dashboard-input')[1];
		Object.defineProperty(input, 'files', { value: [inner] });
		input.dispatchEvent(new Event('change', { bubbles: true }));
	});
	await page.locator('.uppy-StatusBar-actionBtn--upload').click();
	await page.locator('#received li', { hasText: 'holiday/day 1/deep.txt: 12 bytes' }).waitFor();
	await close(page);
});

await browser.close();
await line.stop();
finish();
