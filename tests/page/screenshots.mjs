// screenshots.mjs: the page's states as pictures, in out/screenshots/, on four screens, by day and by night; with
// --docs two of them for the README. ONLY=phone-dark takes one screen.

import { chromium } from "@playwright/test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startMock } from "./mock.mjs";
import { launch, sample } from "./lib.mjs";
import { dropFiles, throttle } from "./fixtures.mjs";

const out = new URL("out/screenshots/", import.meta.url).pathname;
const docs = new URL("../../www/screenshots/", import.meta.url).pathname;
const wantsDocs = process.argv.includes("--docs");
mkdirSync(out, { recursive: true });

async function states(browser, scheme, width, height, suffix) {
	const mock = await startMock({ policy: { streamed: true } });
	const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: 1, hasTouch: width < 500, isMobile: width < 500 });
	const shot = (name, o = {}) => page.screenshot({ path: `${out}${name}-${suffix}.png`, ...o });
	await page.goto(mock.url);
	await page.getByText("Nothing received yet").waitFor();
	await shot("empty", { fullPage: true });
	sample(mock);
	await page.reload();
	await page.getByText("Übersicht 2026.pdf").waitFor();
	await shot("quiet", { fullPage: true });
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
	if (suffix.startsWith("wide") && wantsDocs) {
		mkdirSync(docs, { recursive: true });
		await page.screenshot({ path: `${docs}docs-${scheme}.png` });
	}
	await page.getByRole("button", { name: "Pause field recording.mkv" }).click();
	await throttle(page, 0, true);
	await page.locator(".item[data-state=lost]").first().waitFor();
	await shot("lost", { fullPage: true });
	await throttle(page, 0);
	await page.getByText("refused", { exact: true }).first().waitFor();
	await page.getByRole("button", { name: "Resume field recording.mkv" }).click();
	await page.waitForFunction(() => !/%/.test(document.title), null, { timeout: 30_000 });
	await page.waitForTimeout(300);
	await shot("over", { fullPage: true });
	await page.locator("#rows .open", { hasText: "harbour.svg" }).click();
	await page.locator("#card img").waitFor();
	await page.waitForTimeout(200);
	await shot("card");
	await page.locator("#card summary").click();
	await page.locator(".qr").scrollIntoViewIfNeeded();
	await shot("qr");
	await page.keyboard.press("Escape");
	await page.locator("tbody input").nth(2).check();
	await page.locator("tbody input").nth(3).check();
	await page.getByRole("button", { name: /^Delete: letter/ }).click();
	await shot("chosen", { fullPage: true });
	await page.getByRole("button", { name: "Use a token" }).click();
	await page.getByLabel("Your token").fill("wrong");
	mock.token = "right";
	await page.getByRole("button", { name: "Use it" }).click();
	await page.locator("#key-why:not(:empty)").waitFor();
	await shot("token");
	await page.getByLabel("Your token").fill("right");
	await page.getByRole("button", { name: "Use it" }).click();
	await page.getByRole("button", { name: "Change token" }).waitFor();
	await page.evaluate(() => (window.showSaveFilePicker = undefined));
	await page.route("**/content", () => {});
	await page.getByRole("button", { name: /^Download: minutes/ }).click();
	await page.locator("#getting p").waitFor();
	await page.getByRole("button", { name: /^Copy link.*minutes/ }).click();
	await shot("getting");
	await dropFiles(page, [{ name: "last.txt", content: "x" }], () => shot("veil"));
	await page.close();
	await mock.stop();
	rmSync(folder, { recursive: true });
}

const browser = await chromium.launch(launch);
for (const scheme of ["light", "dark"]) {
	for (const [name, width, height] of [["wide", 1180, 860], ["low", 900, 700], ["phone", 375, 740], ["small", 320, 640]]) {
		if (!process.env.ONLY || process.env.ONLY === `${name}-${scheme}`) await states(browser, scheme, width, height, `${name}-${scheme}`);
	}
}
await browser.close();
