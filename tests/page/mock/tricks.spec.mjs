// What only the mock can be made to do.
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, noise, test, text } from "../fixtures.mjs";

test.describe("below a sub-path", () => {
	test.use({ options: { base: "/drop" } });
	test("everything works there as well", async ({ desk, page, mock }) => {
		await desk.choose(text("a.txt"));
		await desk.state("a.txt", "done");
		await page.locator("#rows .open").click();
		await expect(page.locator("#card pre")).toHaveText("content of a.txt");
		expect(mock.files.length).toBe(1);
	});
});

test("small ones five at a time, never six", async ({ desk, mock }) => {
	mock.hold = 150;
	await desk.choose(...Array.from({ length: 12 }, (_, i) => text(`${i}.txt`)));
	await expect.poll(() => mock.files.length).toBe(12);
	expect(mock.peak).toBe(5);
});

test("all sent but not yet answered is called storing", async ({ desk, mock }) => {
	mock.hold = 2500;
	await desk.choose(text("slow.txt", "x".repeat(300_000)));
	await desk.state("slow.txt", "storing");
	await expect(desk.item("slow.txt")).toContainText("storing");
	await desk.state("slow.txt", "done");
});

test("a connection cut in the middle of a small file", async ({ desk, mock }) => {
	Object.assign(mock, { cutAfter: 100_000, cuts: 9 }); // Chromium itself sends a reset POST once more
	await desk.choose({ name: "cut.bin", mimeType: "application/octet-stream", buffer: noise(4_000_000) });
	await desk.state("cut.bin", "lost");
	await expect(desk.item("cut.bin")).toContainText("waiting for the network");
	mock.cuts = 0;
	await desk.state("cut.bin", "done");
});

for (const formsOnly of [false, true]) {
	test(`a small file whose answer was lost ${formsOnly ? "where only forms get through" : ""} comes again, and is there once`, async ({ desk, mock }) => {
		mock.formsOnly = formsOnly;
		await desk.choose(text("a.txt"), text("b.txt", ""), text("c.bin", "c".repeat(300_000)));
		for (const name of ["a.txt", "b.txt", "c.bin"]) await desk.state(name, "done");
		expect(mock.files.length).toBe(3);
		mock.loseAnswers = true;
		await desk.choose(text("d.txt"));
		await expect.poll(() => mock.files.length, { timeout: 15_000 }).toBe(4);
		await desk.state("d.txt", "lost");
		mock.loseAnswers = false;
		await desk.tool("d.txt", "Retry").click();
		await desk.state("d.txt", "done");
		expect(mock.files.map(({ name }) => name).sort()).toEqual(["a.txt", "b.txt", "c.bin", "d.txt"]);
	});
}

test("a connection cut in the middle of a large one, and the server gone for a while", async ({ desk, mock }) => {
	const path = join(mkdtempSync(join(tmpdir(), "waybill-page-")), "large.bin");
	writeFileSync(path, noise(20 * 1024 * 1024));
	Object.assign(mock, { cutAfter: 5_000_000, cuts: 2 });
	mock.rate = 20_000_000;
	await desk.choose(path);
	await desk.state("large.bin", "lost");
	mock.down = true;
	await expect(desk.item("large.bin")).toContainText("The server does not answer");
	mock.down = false;
	await desk.state("large.bin", "done");
	expect(mock.files[0].size).toBe(20 * 1024 * 1024);
});

test("a large file of a refused type ends early and for good", async ({ desk, mock }) => {
	const path = join(mkdtempSync(join(tmpdir(), "waybill-page-")), "program");
	writeFileSync(path, Buffer.concat([Buffer.from("\x7fELF\x02\x01", "latin1"), noise(40 * 1024 * 1024)]));
	mock.rate = 10_000_000;
	await desk.choose(path);
	await desk.state("program", "refused");
	await expect(desk.item("program")).toContainText("found application/x-executable");
	await expect(desk.tool("program", "Retry")).toHaveCount(0);
});

test.describe("a file just under the limit", () => {
	test.use({ options: { policy: { max_bytes: 10_000 } } });
	test("is not refused for the form around it", async ({ desk, mock }) => {
		await desk.choose(text("tight.txt", "x".repeat(9_990)), text("over.txt", "x".repeat(10_001)));
		await desk.state("tight.txt", "done");
		await desk.state("over.txt", "refused");
		expect(mock.files[0].size).toBe(9_990);
	});
});

test("a token: asked for, used, kept in the tab, good for deleting", async ({ desk, page, mock }) => {
	mock.token = "secret-1";
	await page.reload();
	await expect(page.locator("#empty")).toContainText("Enter a token");
	await desk.choose(text("who.txt"));
	await desk.state("who.txt", "refused");
	await desk.item("who.txt").getByRole("button", { name: "Enter a token" }).click();
	await page.getByLabel("Your token").fill("secret-2");
	await page.keyboard.press("Enter");
	await expect(page.locator("#key-why")).toHaveText("This token is not known here.");
	await expect(page.locator("#key")).toBeVisible();
	await expect(page.getByLabel("Your token")).toBeFocused();
	await page.getByLabel("Your token").fill("secret-1");
	await page.keyboard.press("Enter");
	await desk.state("who.txt", "done");
	await expect(desk.row("who.txt")).toBeVisible();
	await desk.row("who.txt").locator(".open").click();
	await expect(page.locator("#card pre")).toHaveText("content of who.txt");
	await page.keyboard.press("Escape");
	await desk.row("who.txt").getByRole("button", { name: "Copy link" }).click();
	await expect(page.locator("#said")).toContainText("Opening needs a token.");
	// where pages may write no file of their own
	await page.evaluate(() => (window.showSaveFilePicker = undefined));
	const coming = page.waitForEvent("download");
	await desk.row("who.txt").getByRole("button", { name: "Download" }).click();
	const download = await coming;
	expect(download.suggestedFilename()).toBe("who.txt");
	expect(readFileSync(await download.path(), "utf8")).toBe("content of who.txt");
	await desk.row("who.txt").getByRole("button", { name: "Delete" }).click();
	await expect.poll(() => mock.files.length, { timeout: 12_000 }).toBe(0);
	expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("secret-1");
});

test("a download with a token goes straight into a file, shows how far it is, and can be stopped", async ({ desk, page, mock }) => {
	mock.token = "secret-1";
	mock.enter("large.bin", Buffer.alloc(3_000_000, 7), 3_000_000, null, {});
	await page.evaluate(() => sessionStorage.setItem(`waybill ${new URL(".", document.baseURI).pathname} token`, JSON.stringify({ bearer: "secret-1" })));
	await page.reload();
	await page.evaluate(() => {
		window.showSaveFilePicker = async ({ suggestedName }) => (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
	});
	const saved = () => page.evaluate(async () => (await (await (await navigator.storage.getDirectory()).getFileHandle("large.bin")).getFile()).size);
	const row = page.locator("#getting p");
	const get = () => desk.row("large.bin").getByRole("button", { name: "Download" }).click();
	let go;
	// the list's own HEAD, under way or not yet, goes by
	await page.route("**/content", (route) => (route.request().method() === "GET" ? (go = () => route.continue()) : route.fallback()));
	await get();
	await expect(row.getByRole("progressbar")).toBeVisible();
	await row.getByRole("button", { name: "Stop large.bin" }).click();
	await expect(row).toHaveCount(0);
	expect(await saved()).toBe(0); // nothing of it stays
	await page.unroute("**/content");
	await get();
	await expect(page.locator("#said")).toHaveText("large.bin received.");
	expect(await saved()).toBe(3_000_000);
	await expect(row).toHaveCount(0);
	void go;
});

test("2 GiB leave the page's memory flat", async ({ desk, page, mock }) => {
	test.setTimeout(180_000);
	const path = join(mkdtempSync(join(tmpdir(), "waybill-page-")), "huge.bin");
	const fd = openSync(path, "w");
	ftruncateSync(fd, 2 ** 31);
	closeSync(fd);
	mock.policy.max_bytes = 2 ** 32;
	await page.reload();
	const cdp = await page.context().newCDPSession(page);
	await cdp.send("Performance.enable");
	const heap = async () => {
		await cdp.send("HeapProfiler.collectGarbage");
		return (await cdp.send("Performance.getMetrics")).metrics.find((it) => it.name === "JSHeapUsedSize").value;
	};
	const before = await heap();
	await desk.choose(path);
	await expect.poll(() => desk.item("huge.bin").getByRole("progressbar").evaluate((it) => it.position).catch(() => 0), { timeout: 120_000 }).toBeGreaterThan(0.4);
	expect((await heap()) - before).toBeLessThan(8 << 20);
	await expect(desk.item("huge.bin")).toHaveAttribute("data-state", "done", { timeout: 150_000 });
	expect((await heap()) - before).toBeLessThan(8 << 20);
	expect(mock.files[0].size).toBe(2 ** 31);
});
