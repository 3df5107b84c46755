// screenshots.mjs: the page's main states as pictures, in out/screenshots/; with --docs two of them for the README.

import { chromium } from "@playwright/test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMock } from "./mock.mjs";
import { launch, sample } from "./lib.mjs";
import { throttle } from "./fixtures.mjs";

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
	await page.fill("#note", "Reel 4, for Amal");
	await page.setInputFiles("#pick", [{ name: "letter to the editor.txt", mimeType: "text/plain", buffer: Buffer.from("Dear editor") }]);
	await page.locator("#items .stamp:visible").first().waitFor();
	await throttle(page, 900_000);
	const folder = mkdtempSync(join(tmpdir(), "waybill-page-"));
	const big = [["interview with the harbour master, second take.wav", 3], ["field recording.mkv", 24], ["عقد الإيجار النهائي.docx", 2], ["setup.exe", 1, "\x7fELF\0\0"], ["map of the archive.png", 2]];
	await page.setInputFiles("#pick", big.map(([name, mb, head = ""]) => {
		writeFileSync(join(folder, name), Buffer.concat([Buffer.from(head, "latin1"), Buffer.alloc(mb * 1024 * 1024, 7)]));
		return join(folder, name);
	}));
	await page.waitForFunction(() => document.querySelector("#overall").position > 0.22);
	await shot("sending", { fullPage: width < 500 });
	await page.locator("h1").click(); // no focus ring in a picture
	if (suffix !== "narrow" && suffix !== "narrow-dark" && process.argv.includes("--docs")) {
		mkdirSync(docs, { recursive: true });
		await page.screenshot({ path: `${docs}docs-${scheme}.png` });
	}
	await throttle(page, 0);
	await page.getByText("refused", { exact: true }).first().waitFor();
	await page.waitForFunction(() => !/%/.test(document.title), null, { timeout: 20000 });
	await shot("over", { fullPage: true });
	await page.locator("#rows .open", { hasText: "harbour.svg" }).click();
	await page.locator("#card img").waitFor();
	await page.waitForTimeout(200);
	await shot("card");
	await page.keyboard.press("Escape");
	await page.locator("tbody input").nth(2).check();
	await page.locator("tbody input").nth(3).check();
	await page.getByRole("button", { name: /^Delete: letter/ }).click();
	await shot("chosen", { fullPage: true });
	await page.close();
	await mock.stop();
	rmSync(folder, { recursive: true });
}

const browser = await chromium.launch(launch);
await states(browser, "light", 1180, 860, "light");
await states(browser, "dark", 1180, 860, "dark");
await states(browser, "light", 360, 760, "narrow");
await states(browser, "dark", 360, 760, "narrow-dark");
await browser.close();
