// A network that comes and goes: everything arrives, once, and nobody has to lift a hand.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCutter } from "../cutter.mjs";
import { again, DeskPage, expect, fresh, noise, refuse, sha256, test, text, throttle } from "../fixtures.mjs";

const bin = (name, size) => ({ name, mimeType: "application/octet-stream", buffer: noise(size) });
async function stored(page, url, mark) {
	const answer = await page.request.get(`${url}files?limit=1000&name=${encodeURIComponent(mark)}`, { headers: { Accept: "application/json" }, ...again });
	return (await answer.json()).files;
}
const relayed = test.extend({
	line: async ({ url }, use) => {
		const line = await startCutter(url);
		await use(line);
		await line.stop();
	},
	desk: async ({ page, line }, use) => {
		await page.goto(line.url);
		await expect(page.getByRole("button", { name: "Choose files" })).toBeVisible();
		await use(new DeskPage(page, line.url));
	},
});

relayed("60 files over a line that is cut three times arrive, each once, by themselves", async ({ desk, page, line, url }) => {
	test.setTimeout(150_000);
	const pause = Number(process.env.CUT_MS || 2500); // long enough that the page asks in vain before it asks again
	const mark = fresh("cut", "");
	const files = Array.from({ length: 60 }, (_, i) => bin(`${mark} ${i}.bin`, 300_000 + i));
	Object.assign(line, { pause, cutAt: [3e6, 8e6, 13e6].map((bytes) => line.up + bytes) });
	await desk.choose(...files);
	await expect(page.locator(".item[data-state=lost]").first()).toBeVisible();
	await expect(page.locator(".item[data-state=lost] > .figures").first()).toHaveText(/^waiting for the network/);
	await expect(page.locator("#overall")).not.toHaveJSProperty("position", 1);
	await expect(page.locator(".item[data-state=done]")).toHaveCount(60, { timeout: 120_000 });
	expect(line.cuts).toBe(3);
	const records = await stored(page, url, mark);
	const sums = Object.fromEntries(records.map(({ name, sha256: sum }) => [name, sum]));
	expect(records.length).toBe(60);
	for (const { name, buffer } of files) expect(sums[name]).toBe(sha256(buffer));
	await expect(page.locator("#overall")).toHaveJSProperty("position", 1);
});

relayed("a file whose answer was lost is not stored twice, however small", async ({ desk, page, line, url }) => {
	test.setTimeout(120_000);
	const mark = fresh("unheard", "");
	await page.locator("#total").filter({ hasText: "file" }).waitFor();
	line.lose = 7;
	await desk.choose(...[0, 1, 5, 4096, 70_000, 400_000].map((size, i) => bin(`${mark} ${i}.bin`, size)));
	await expect(page.locator(".item[data-state=done]")).toHaveCount(6, { timeout: 90_000 });
	expect(line.lost).toBe(7);
	expect((await stored(page, url, mark)).map(({ name }) => name).sort()).toEqual([0, 1, 2, 3, 4, 5].map((i) => `${mark} ${i}.bin`));
});

test("the same name, size and time in two folders are two files", async ({ desk, page, url }) => {
	const folder = mkdtempSync(join(tmpdir(), "waybill-page-"));
	const name = fresh("twin");
	for (const inner of ["a", "b"]) {
		mkdirSync(join(folder, inner));
		writeFileSync(join(folder, inner, name), inner);
	}
	await page.locator("#pick-folder").setInputFiles(folder);
	await expect(page.locator(".item[data-state=done]")).toHaveCount(2);
	const paths = (await stored(page, url, name)).map(({ path }) => path.split("/").at(-1));
	expect(paths.sort()).toEqual(["a", "b"]);
	for (const place of ["#items", "#rows"]) {
		await expect(page.locator(`${place} .path`, { hasText: /[/]a[/]$/ })).toHaveCount(1);
		await expect(page.locator(`${place} .path`, { hasText: /[/]b[/]$/ })).toHaveCount(1);
	}
});

test("lost and refused are different words and looks", async ({ desk, page }) => {
	const [lost, refused] = [fresh("lost"), fresh("refused")];
	await refuse(page, 415, "type_refused", { detected_type: "text/plain" });
	await desk.choose(text(refused));
	await desk.state(refused, "refused");
	await page.unrouteAll();
	await throttle(page, 0, true);
	await desk.choose(text(lost));
	await expect(desk.item(lost).locator("> .figures")).toHaveText(/^waiting for the network/);
	await expect(desk.item(lost)).toContainText("It goes on by itself");
	const colour = (name) => desk.item(name).locator("> .figures").evaluate((it) => getComputedStyle(it).color);
	expect(await colour(lost)).not.toBe(await colour(refused));
	await expect(page.locator("#overall-text")).toContainText("1 refused");
	await throttle(page, 0);
	await desk.state(lost, "done");
});

test("what failed stands first; Retry all sends it again; Clear finished takes what was received, and only that", async ({ desk, page }) => {
	const mark = fresh("failed", "");
	await desk.choose(...[1, 2, 3].map((i) => text(`${mark} good ${i}.txt`)));
	await expect(page.locator(".item[data-state=done]")).toHaveCount(3);
	await refuse(page, 403, "forbidden");
	await desk.choose(text(`${mark} bad 1.txt`), text(`${mark} bad 2.txt`));
	await expect(page.locator(".item[data-state=refused]")).toHaveCount(2);
	await expect(page.locator(".item").first()).toHaveAttribute("data-state", "refused");
	await expect(page.locator("#overall")).not.toHaveJSProperty("position", 1);
	await page.getByRole("button", { name: "Clear finished" }).click();
	await expect(page.locator(".item")).toHaveCount(2);
	await expect(page.getByRole("button", { name: "Clear finished" })).toBeHidden();
	await page.unrouteAll();
	await page.getByRole("button", { name: "Retry all" }).click();
	await expect(page.locator(".item[data-state=done]")).toHaveCount(2);
	await expect(page.getByRole("button", { name: "Retry all" })).toBeHidden();
});

test("a server that is busy is asked again without a hand", async ({ desk, page }) => {
	const name = fresh("queueing");
	await refuse(page, 503, "busy");
	await desk.choose(text(name));
	await desk.state(name, "lost");
	await expect(desk.item(name).locator("> .figures")).toHaveText(/^waiting for the server/);
	await page.unrouteAll();
	await desk.state(name, "done");
	expect((await desk.records(name)).length).toBe(1);
});
