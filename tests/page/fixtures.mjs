// fixtures.mjs: a page on the worker at WAYBILL_URL, or on a mock of its own, and words for what tests do with it.

import { test as base, expect } from "@playwright/test";
import { createHash } from "node:crypto";
import { noise as drawn } from "../chance.mjs";
import { startMock } from "./mock.mjs";

export { expect };

export const test = base.extend({
	options: [{}, { option: true }], // for startMock
	mock: async ({ options }, use, { file }) => {
		if (process.env.WAYBILL_URL && !file.includes("/mock/")) return use(null);
		const mock = await startMock(options);
		await use(mock);
		return mock.stop();
	},
	url: async ({ mock }, use) => use(mock ? mock.url : process.env.WAYBILL_URL),
	// The page may never throw, nor trip over its own Content-Security-Policy.
	page: async ({ page }, use) => {
		const bad = [];
		page.on("pageerror", (error) => bad.push(error.stack));
		page.on("console", (line) => /Content.Security.Policy|TrustedHTML|Trusted Type/i.test(line.text()) && bad.push(line.text()));
		await use(page);
		expect(bad).toEqual([]);
	},
	desk: async ({ page, url }, use) => {
		await page.goto(url);
		await expect(page.getByRole("button", { name: "Choose files" })).toBeVisible();
		await use(new DeskPage(page, url));
	},
});

/** For requests past the page: a server may close a kept connection in the moment when it is used again. */
export const again = { maxRetries: 2 };

let serial = 0;
/** A name nobody used before: a real server keeps its files between tests. */
export const fresh = (stem, end = ".txt") => `${stem} ${process.pid}-${Date.now() % 1e7}-${serial++}${end}`;
export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
/** The full name of the test that runs; none outside one. */
const running = () => {
	try {
		return base.info().titlePath.join(" > ");
	} catch {
		return "";
	}
};
/** Random, but for a beginning that libmagic cannot take for a program (it does with one noise in a hundred). */
export const noise = (size) => Buffer.concat([Buffer.from("waybill\0noise\0\0\0"), drawn(size, running())]).subarray(0, size);
export const text = (name, content = `content of ${name}`) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });

export class DeskPage {
	constructor(page, url) {
		this.page = page;
		this.url = url;
	}
	choose(...files) {
		return this.page.locator("#pick").setInputFiles(files);
	}
	item(name) {
		return this.page.locator("#items .item").filter({ has: this.page.locator(".name", { hasText: name }) });
	}
	row(name) {
		return this.page.locator("#rows tr").filter({ has: this.page.locator(".name", { hasText: name }) });
	}
	state(name, state) {
		return expect(this.item(name)).toHaveAttribute("data-state", state, { timeout: 25_000 });
	}
	async find(name) {
		const listed = this.page.waitForResponse((response) => new URL(response.url()).searchParams.get("name") === name);
		await this.page.getByLabel("Name contains").fill(name);
		await listed;
		await expect(this.row(name).first()).toBeVisible();
	}
	tool(name, what) {
		return this.item(name).getByRole("button", { name: what });
	}
	async records(name) {
		const answer = await this.page.request.get(`${this.url}files?name=${encodeURIComponent(name)}`, { headers: { Accept: "application/json" }, ...again });
		return (await answer.json()).files;
	}
	async content(record) {
		const answer = await this.page.request.get(new URL(record.url, this.url).href, again);
		return answer.body();
	}
}

/** Chromium's own brake: bytes a second up, 0 for none; or no network at all. */
export async function throttle(page, up, offline = false) {
	const cdp = page.cdp ?? (page.cdp = await page.context().newCDPSession(page));
	await cdp.send("Network.enable");
	await cdp.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: up || -1 });
}

/** Answer the next upload with a refusal, as waybill words it. */
export async function refuse(page, status, slug, more = {}) {
	await page.route((url) => /\/upload(\/[^/]*)?$/.test(url.pathname), async (route) => {
		if (route.request().method() === "GET") return route.fallback();
		return route.fulfill({ status, contentType: "application/problem+json",
			body: JSON.stringify({ type: "about:blank", title: "x", status, detail: `Detail of ${slug}.`, error: slug, message: `Detail of ${slug}.`, code: status, ...more }) });
	});
}

export async function dropFiles(page, files, meanwhile = () => {}) {
	const transfer = await page.evaluateHandle((all) => {
		const data = new DataTransfer();
		for (const { name, content } of all) data.items.add(new File([content], name));
		return data;
	}, files);
	await page.dispatchEvent("body", "dragenter", { dataTransfer: transfer });
	await expect(page.locator("#veil")).toBeVisible();
	await meanwhile();
	await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
}
