// screenshots.mjs: the page's main states as pictures, in out/screenshots/; with --docs two of them for the README.

import { chromium } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { startMock } from "./mock.mjs";
import { launch, sample } from "./lib.mjs";

const out = new URL("out/screenshots/", import.meta.url).pathname;
const docs = new URL("../../www/screenshots/", import.meta.url).pathname;
mkdirSync(out, { recursive: true });

async function states(browser, scheme, width, height, suffix) {
	const mock = await startMock({ policy: { streamed: true } });
	sample(mock);
	const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: 1 });
	const shot = (name, o = {}) => page.screenshot({ path: `${out}${name}-${suffix}.png`, ...o });
	await page.goto(mock.url);
	await page.getByText("Übersicht 2026.pdf").waitFor();
	await shot("quiet", { fullPage: width < 500 });
	mock.rate = 400_000;
	await page.fill("#note", "Reel 4, for Amal");
	const big = (mb, byte = 7) => Buffer.alloc(mb * 1024 * 1024, byte);
	await page.setInputFiles("#pick", [{ name: "letter to the editor.txt", mimeType: "text/plain", buffer: Buffer.from("Dear editor") }]);
	await page.locator(".stamp:visible").first().waitFor();
	await page.setInputFiles("#pick", [
		{ name: "interview with the harbour master, second take.wav", mimeType: "audio/wav", buffer: big(3) },
		{ name: "field recording.mkv", mimeType: "video/x-matroska", buffer: big(24) },
		{ name: "عقد الإيجار النهائي.docx", mimeType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", buffer: big(2) },
		{ name: "setup.exe", mimeType: "application/x-dosexec", buffer: Buffer.concat([Buffer.from("\x7fELF\0\0"), big(1)]) },
		{ name: "map of the archive 🗺️.png", mimeType: "image/png", buffer: big(2) },
	]);
	await page.waitForFunction(() => document.querySelector("#overall").position > 0.15);
	await shot("sending", { fullPage: width < 500 });
	if (suffix !== "narrow" && suffix !== "narrow-dark" && process.argv.includes("--docs")) {
		mkdirSync(docs, { recursive: true });
		await page.screenshot({ path: `${docs}docs-${scheme}.png` });
	}
	mock.rate = 0;
	await page.getByText("refused", { exact: true }).first().waitFor();
	await page.waitForFunction(() => !/%/.test(document.title), null, { timeout: 20000 });
	await shot("over", { fullPage: true });
	await page.getByRole("button", { name: "harbour.svg", exact: true }).or(page.locator("button.open", { hasText: "harbour" })).first().click();
	await page.locator("#card img").waitFor();
	await page.waitForTimeout(200);
	await shot("card");
	await page.keyboard.press("Escape");
	await page.locator("tbody input").nth(2).check();
	await page.locator("tbody input").nth(3).check();
	await page.locator("#rows tr").first().getByRole("button", { name: /^Delete/ }).click();
	await shot("chosen", { fullPage: true });
	await page.close();
	await mock.stop();
}

const browser = await chromium.launch(launch);
await states(browser, "light", 1180, 860, "light");
await states(browser, "dark", 1180, 860, "dark");
await states(browser, "light", 360, 760, "narrow");
await states(browser, "dark", 360, 760, "narrow-dark");
await browser.close();
