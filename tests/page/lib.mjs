// lib.mjs: how the tests start Chromium, and files to show.

import { Buffer } from "node:buffer";

export const launch = {
	executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
};

export const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
export const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="480" height="240" onload="parent.bitten=1"><script>parent.bitten=1</script>'
	+ '<rect width="480" height="240" fill="#cfe0e8"/><path d="M0 170h480v70H0z" fill="#3d6a80"/><path d="M90 150h170l-25 45H120zM150 150V70l70 70zM330 160h110l-18 30h-74z" fill="#17211d"/></svg>');

/** A second of silence. */
export function wav() {
	const data = Buffer.alloc(8000, 128);
	const head = Buffer.alloc(44);
	head.write("RIFF", 0, "latin1");
	head.writeUInt32LE(36 + data.length, 4);
	head.write("WAVEfmt ", 8, "latin1");
	head.writeUInt32LE(16, 16);
	head.writeUInt16LE(1, 20);
	head.writeUInt16LE(1, 22);
	head.writeUInt32LE(8000, 24);
	head.writeUInt32LE(8000, 28);
	head.writeUInt16LE(1, 32);
	head.writeUInt16LE(8, 34);
	head.write("data", 36, "latin1");
	head.writeUInt32LE(data.length, 40);
	return Buffer.concat([head, data]);
}

export function pdf() {
	const objects = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 150]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
		"<</Length 44>>stream\nBT /F1 24 Tf 40 70 Td (Overview 2026) Tj ET\nendstream"];
	let text = "%PDF-1.4\n";
	const at = objects.map((object, i) => {
		const here = text.length;
		text += `${i + 1} 0 obj${object}endobj\n`;
		return here;
	});
	const xref = text.length;
	text += `xref\n0 5\n0000000000 65535 f \n${at.map((n) => `${String(n).padStart(10, "0")} 00000 n \n`).join("")}trailer<</Size 5/Root 1 0 R>>\nstartxref\n${xref}\n%%EOF\n`;
	return Buffer.from(text, "latin1");
}

export function sample(mock) {
	const put = (name, content, declared = null, fields = {}) => mock.enter(name, content, content.length, declared, fields);
	put("minutes 2026-11-02.txt", Buffer.from("Present: Amal, Jo, Ruth.\n\n1. The boat is late again.\n2. Nobody minds.\n".repeat(30)));
	put("harbour.svg", SVG, "image/svg+xml", { note: "Drawn from the pier", path: "drawings/2026", expires_in: "30d" });
	put("Übersicht 2026.pdf", pdf(), "application/octet-stream", { note: "Second edition, see page 4" });
	put("תמונה מהנמל.png", PNG, "image/png");
	put("a very long name that goes on and on because somebody wanted to say everything in it, final, really final (3).tar.txt", Buffer.from("long"));
	put("tide.wav", wav(), "audio/wav");
	put("invoice\u202Egpj.txt", Buffer.from("not a picture"));
	put("🚢🌊 cargo list.json", Buffer.from('{"crates": 12}'));
}
