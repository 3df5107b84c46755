// Large files: pause, resume, reload, lost networks. Each ends in the right SHA-256.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { again, expect, fresh, noise, sha256, test, throttle } from "../fixtures.mjs";

const SIZE = 18 * 1024 * 1024;
const SLOW = 3_000_000;
function large(size = SIZE) {
	const path = join(mkdtempSync(join(tmpdir(), "waybill-page-")), fresh("large", ".bin"));
	const bytes = noise(size);
	writeFileSync(path, bytes);
	return { path, name: basename(path), sum: sha256(bytes) };
}
const value = (desk, name) => desk.item(name).getByRole("progressbar").evaluate((it) => it.value);
const under = async (desk, name, least = 2_000_000) => {
	await desk.state(name, "sending");
	await expect.poll(() => value(desk, name)).toBeGreaterThan(least);
};
const arrived = async (desk, { name, sum }) => {
	await desk.state(name, "done");
	await expect(desk.row(name)).toBeVisible();
	const records = await desk.records(name);
	expect(records.length).toBe(1);
	expect(records[0].sha256).toBe(sum);
};

test("pause and resume go on from where it stood", async ({ desk, page }) => {
	const file = large();
	await throttle(page, SLOW);
	await desk.choose(file.path);
	await under(desk, file.name);
	await desk.tool(file.name, "Pause").click();
	await desk.state(file.name, "paused");
	await expect(desk.item(file.name)).toContainText(/paused at \d+ %/);
	const heads = [];
	page.on("request", (request) => request.method() === "HEAD" && heads.push(request.url()));
	const stood = await value(desk, file.name);
	await throttle(page, 0);
	await desk.tool(file.name, "Resume").click();
	await arrived(desk, file);
	expect(heads.length).toBe(1);
	expect(stood).toBeGreaterThan(2_000_000);
	// written a moment later, together with what else is remembered
	await expect.poll(() => page.evaluate(() => Object.keys(localStorage).filter((key) => /unfinished/.test(key)).map((key) => localStorage[key]))).toEqual(["{}"]);
});

test("a large file can be deleted by whoever sent it", async ({ desk, page }) => {
	const file = large();
	await desk.choose(file.path);
	await arrived(desk, file);
	await page.reload();
	await desk.row(file.name).getByRole("button", { name: "Delete" }).click();
	await expect(desk.row(file.name)).toHaveCount(0, { timeout: 12_000 });
	expect(await desk.records(file.name)).toEqual([]);
});

test("after a reload the same file goes on where it stopped", async ({ desk, page }) => {
	const file = large();
	await throttle(page, SLOW);
	await desk.choose(file.path);
	await under(desk, file.name, 4_000_000);
	page.on("dialog", (dialog) => dialog.accept());
	await page.reload();
	await expect(desk.item(file.name)).toContainText(/stopped at/);
	await expect(desk.item(file.name)).toContainText("Choose the same file again");
	const starts = [];
	page.on("request", (request) => request.method() === "POST" && starts.push(request.url()));
	const patches = [];
	page.on("request", (request) => request.method() === "PATCH" && patches.push(Number(request.headers()["upload-offset"])));
	await desk.choose(file.path);
	await throttle(page, 0);
	await arrived(desk, file);
	expect(starts).toEqual([]);
	expect(patches[0]).toBeGreaterThan(0);
	await expect(desk.item(file.name)).toHaveCount(1);
});

test("a lost network: waited for, said, taken up again", async ({ desk, page }) => {
	const file = large();
	await throttle(page, SLOW);
	await desk.choose(file.path);
	await under(desk, file.name);
	await throttle(page, 0, true);
	await desk.state(file.name, "lost");
	await expect(desk.item(file.name)).toContainText("This device is offline");
	await expect(desk.item(file.name)).toContainText(/waiting for the network/);
	await throttle(page, 0);
	await arrived(desk, file);
});

test("a cut connection is tried again by itself", async ({ desk, page }) => {
	const file = large();
	let cuts = 0;
	await page.route(/\/upload\/[^/]+$/, (route) => (route.request().method() === "PATCH" && cuts++ < 2 ? route.abort("connectionreset") : route.fallback()));
	await desk.choose(file.path);
	await desk.state(file.name, "lost");
	await arrived(desk, file);
	expect(cuts).toBe(3);
});

test("cancel ends the upload on the server too; pause all and resume all", async ({ desk, page }) => {
	const [a, b] = [large(), large()];
	await throttle(page, SLOW);
	await desk.choose(a.path, b.path);
	await under(desk, a.name, 500_000);
	await page.getByRole("button", { name: "Pause all" }).click();
	await desk.state(a.name, "paused");
	await desk.state(b.name, "paused");
	const ended = page.waitForResponse((response) => response.request().method() === "DELETE");
	await desk.tool(b.name, "Cancel").click();
	expect((await ended).status()).toBe(204);
	await throttle(page, 0);
	await page.getByRole("button", { name: "Resume all" }).click();
	await arrived(desk, a);
	expect(await desk.records(b.name)).toEqual([]);
});

test("an upload the server no longer knows starts anew", async ({ desk, page }) => {
	const file = large();
	await throttle(page, SLOW);
	await desk.choose(file.path);
	await under(desk, file.name, 500_000);
	await desk.tool(file.name, "Pause").click();
	const place = await page.evaluate(() => Object.values(JSON.parse(Object.entries(localStorage).find(([key]) => /unfinished/.test(key))[1]))[0].url);
	const gone = await page.request.delete(place, { headers: { "Tus-Resumable": "1.0.0" }, ...again });
	expect(gone.status()).toBe(204);
	await throttle(page, 0);
	await desk.tool(file.name, "Resume").click();
	await arrived(desk, file);
});
