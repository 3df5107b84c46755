// The QR code of a link, read by another's reader.
import jsQR from "jsqr";
import { readFileSync } from "node:fs";
import { expect, test, text } from "../fixtures.mjs";

// as a module, which it is to browsers only
const { qr } = await import(`data:text/javascript,${encodeURIComponent(readFileSync(new URL("../../../www/qr.js", import.meta.url), "utf8"))}`);

const QUIET = 4, SCALE = 3;
const MOST = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213]; // bytes in versions 1 to 10 at level M: ISO/IEC 18004, table 7

function read(rows) {
	const side = SCALE * (rows.length + 2 * QUIET), pixels = new Uint8ClampedArray(4 * side * side);
	for (let y = 0; y < side; y++) {
		for (let x = 0; x < side; x++) {
			const dark = rows[Math.floor(y / SCALE) - QUIET]?.[Math.floor(x / SCALE) - QUIET] === "1";
			pixels.set(dark ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * (y * side + x));
		}
	}
	return jsQR(pixels, side, side);
}

test("every length up to the longest is read back, in the smallest version that takes it", () => {
	for (let length = 1; length <= MOST.at(-1); length++) {
		const link = `https://example.org/drop/files/${"0123456789abcdefghjkmnpqrstvwxyz".repeat(7)}`.slice(-length);
		const code = read(qr(link));
		expect(code?.data, `${length} bytes`).toBe(link);
		expect(code.version).toBe(MOST.findIndex((most) => length <= most) + 1);
	}
	expect(qr("x".repeat(MOST.at(-1) + 1))).toBeFalsy();
});

test("names in any script, and damage", () => {
	const link = "http://127.0.0.1/Übersicht/תמונה/日本";
	expect(Buffer.from(read(qr(link)).binaryData).toString()).toBe(link);
	const rows = qr("https://example.org/files/0123456789abcdefghjkmnpqrs/content").map((row, y) => (y === 14 ? row.replace(/1/g, "0") : row));
	expect(read(rows).data).toBe("https://example.org/files/0123456789abcdefghjkmnpqrs/content");
});

test("the sheet of a file shows it", async ({ desk, page }) => {
	await desk.choose(text("a.txt"));
	await desk.state("a.txt", "done");
	await desk.row("a.txt").locator(".open").click();
	await page.locator("#card summary").click();
	const code = page.getByRole("img", { name: "QR code of the link" });
	await expect(code).toBeVisible();
	const drawn = await code.evaluate(async (svg) => {
		const image = new Image(), canvas = document.createElement("canvas");
		canvas.width = canvas.height = 300;
		svg.setAttribute("width", 300), svg.setAttribute("height", 300);
		image.src = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" }));
		await image.decode();
		const context = canvas.getContext("2d");
		context.fillStyle = "#fff";
		context.fillRect(0, 0, 300, 300);
		context.drawImage(image, 0, 0, 300, 300);
		return [...context.getImageData(0, 0, 300, 300).data];
	});
	const link = await page.locator("#card-facts a").getAttribute("href");
	expect(jsQR(Uint8ClampedArray.from(drawn), 300, 300).data).toBe(new URL(link, page.url()).href);
});
