// script.spec.mjs: what strangers upload never runs as the site: not as a script of its page, not from a picture opened beside it.

import { again, expect, test } from "../fixtures.mjs";

const SCRIPT = '#!/usr/bin/env node\nglobalThis.ran = "yes"; globalThis.top.ran = "yes";\nparent.postMessage("ran", "*");\n';

/** An uploaded script; the address of its content. */
async function uploaded(request, url) {
	const answer = await request.put(new URL("upload/run.js", url).href, { data: SCRIPT, headers: { "Content-Type": "text/javascript" }, ...again });
	expect(answer.status()).toBe(201);
	const [file] = (await answer.json()).files;
	expect(file.type).toMatch(/javascript/);
	return file.url;
}

test("an uploaded script is no script of this site's", async ({ page, request, url }) => {
	const content = await uploaded(request, url);
	await page.goto(url);
	const seen = page.waitForResponse((response) => response.url().endsWith(content));
	const outcome = await page.evaluate((src) => new Promise((resolve) => {
		const policy = trustedTypes.createPolicy("test", { createScriptURL: (s) => s });
		const script = document.createElement("script");
		script.onload = () => resolve("loaded");
		script.onerror = () => resolve("refused");
		script.src = policy.createScriptURL(src);
		document.head.append(script);
	}), content);
	expect((await seen).status()).toBe(403);
	expect(outcome).toBe("refused");
	expect(await page.evaluate(() => globalThis.ran)).toBeUndefined();
});

test("nor does a picture run it, opened from memory", async ({ page, request, url }) => {
	const content = await uploaded(request, url);
	await page.goto(url);
	const seen = page.waitForResponse((response) => response.url().endsWith(content));
	await page.evaluate((src) => {
		const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script href="${new URL(src, location)}"/></svg>`;
		const frame = document.createElement("iframe");
		frame.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
		document.body.append(frame);
		addEventListener("message", () => (globalThis.ran = "told"));
	}, content);
	expect((await seen).status()).toBe(403);
	await expect.poll(() => page.frames().length).toBe(2);
	expect(await page.frames()[1].evaluate(() => globalThis.ran)).toBeUndefined();
	expect(await page.evaluate(() => globalThis.ran)).toBeUndefined();
});

test("a browser that does not say what for is handed text", async ({ request, url }) => {
	const answer = await request.get(new URL(await uploaded(request, url), url).href, again);
	expect(answer.status()).toBe(200);
	expect(answer.headers()["content-type"]).toMatch(/^text\/plain/);
	expect(answer.headers()["x-content-type-options"]).toBe("nosniff");
	expect(await answer.text()).toBe(SCRIPT);
});
