// Without script: the form, its receipt, the list.
import { again, expect, fresh, sha256, test, text } from "../fixtures.mjs";

test.use({ javaScriptEnabled: false });

test("the form sends several files and a note, and answers with a receipt", async ({ page, url }) => {
	await page.goto(url);
	const names = [fresh("Übersicht"), fresh("second")];
	await page.getByLabel("Files to send").setInputFiles(names.map((name) => text(name)));
	await page.getByLabel("Note").fill("ünïcode note");
	const [answer] = await Promise.all([page.waitForResponse((response) => response.request().method() === "POST"), page.getByRole("button", { name: "Send", exact: true }).click()]);
	expect(answer.status()).toBe(303);
	await expect(page.locator("h1")).toContainText(/receipt/i);
	await expect(page.locator("body")).toContainText(names[0]);
	const listed = await (await page.request.get(`${url}files?name=${encodeURIComponent(names[0])}`, { headers: { Accept: "application/json" }, ...again })).json();
	expect(listed.files.length).toBe(1);
	expect(listed.files[0].name).toBe(names[0]);
	expect(listed.files[0].fields.note).toBe("ünïcode note");
	expect(listed.files[0].sha256).toBe(sha256(Buffer.from(`content of ${names[0]}`)));
	await page.goto(url);
	await page.getByRole("link", { name: "See what has arrived" }).click();
	await expect(page.getByRole("link", { name: names[1] })).toBeVisible();
});

test("nothing that needs script is shown", async ({ page, url }) => {
	await page.goto(url);
	for (const name of ["Choose files", "Choose a folder", "Show more", "Use a token"]) await expect(page.getByRole("button", { name })).toHaveCount(0);
	await expect(page.getByLabel("Name contains")).toBeHidden();
	await expect(page.getByRole("button", { name: "Send", exact: true })).toBeVisible();
	await expect(page.locator("#desk")).toBeHidden();
});

test("what was sent can be taken back from its receipt", async ({ page, url }) => {
	await page.goto(url);
	const names = [fresh("mistake"), fresh("another")];
	await page.getByLabel("Files to send").setInputFiles(names.map((name) => text(name)));
	await page.getByRole("button", { name: "Send", exact: true }).click();
	await expect(page.getByRole("button", { name: "Withdraw" })).toBeVisible();
	await page.reload(); // the button stays
	await page.getByRole("button", { name: "Withdraw" }).click();
	await expect(page.locator(".lead")).toHaveText("Your 2 files have been deleted.");
	const listed = await (await page.request.get(`${url}files?name=${encodeURIComponent(names[0])}`, { headers: { Accept: "application/json" }, ...again })).json();
	expect(listed.files).toEqual([]);
});
