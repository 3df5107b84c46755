// qr.js: a link as a QR code (ISO/IEC 18004): bytes, level M, versions 1 to 10, mask 0 always: readers take any.

// of each version: all bytes, blocks, check bytes of a block
const ALL = [26, 44, 70, 100, 134, 172, 196, 242, 292, 346], BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5], CHECKS = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26];
// what tells level and mask; the version, from 7 on
const FORMAT = 21522, VERSION = [31892, 34236, 39577, 42195];

// GF(256)
const EXP = [1], LOG = [];
for (let i = 0; i < 255; i++) {
	LOG[EXP[i]] = i;
	EXP.push(EXP[i] << 1 ^ (EXP[i] > 127 && 285));
}
const times = (a, b) => (a && b ? EXP[(LOG[a] + LOG[b]) % 255] : 0);

function checks(data, n) {
	let divisor = [1];
	for (let i = 0; i < n; i++) divisor = [...divisor, 0].map((it, k) => it ^ times(divisor[k - 1], EXP[i]));
	const rest = [...data, ...Array(n).fill(0)];
	for (let i = 0; i < data.length; i++) {
		const lead = rest[i];
		divisor.forEach((it, k) => (rest[i + k] ^= times(it, lead)));
	}
	return rest.slice(-n);
}

const woven = (blocks) => blocks.at(-1).flatMap((_, i) => blocks.flatMap((block) => block[i] ?? []));

function codewords(bytes, version) {
	const [n, count] = [CHECKS, BLOCKS].map((it) => it[version - 1]), room = ALL[version - 1] - n * count;
	const hex = (number, digits) => number.toString(16).padStart(digits, 0);
	const data = [4, hex(bytes.length, version < 10 ? 2 : 4), ...[...bytes].map((it) => hex(it, 2)), 0].join("").match(/../g).map((it) => parseInt(it, 16));
	for (let fill = 236; data.length < room; fill ^= 253) data.push(fill);
	const blocks = Array.from({ length: count }, (_, i) => data.splice(0, (room + i) / count));
	return [...woven(blocks), ...woven(blocks.map((block) => checks(block, n)))];
}

function draw(words, version) {
	const size = 4 * version + 17, grid = Array.from({ length: size }, () => []);
	const rings = (cx, cy, dark) => {
		for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) grid[y][x] = dark[Math.max(Math.abs(x - cx), Math.abs(y - cy))] ?? grid[y][x];
	};
	for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) rings(x, y, [1, 1, 0, 1, 0]);
	const marks = version < 2 ? [] : [6, ...(version > 6 ? [2 * version + 8] : []), size - 7];
	for (const y of marks) for (const x of marks) grid[y][x] ?? rings(x, y, [1, 0, 1]);
	for (let i = 8; i < size - 8; i++) grid[6][i] = grid[i][6] = 1 - i % 2;
	for (let i = 0; i < 15; i++) grid[i < 6 ? i : i < 8 ? i + 1 : size - 15 + i][8] = grid[8][i < 8 ? size - 1 - i : i < 9 ? 7 : 14 - i] = FORMAT >> i & 1;
	grid[size - 8][8] = 1;
	if (version > 6) for (let i = 0; i < 18; i++) grid[size - 11 + i % 3][i / 3 | 0] = grid[i / 3 | 0][size - 11 + i % 3] = VERSION[version - 7] >> i & 1;
	let i = 0;
	for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
		for (let step = 0; step < 2 * size; step++) {
			const x = right - step % 2, y = (right + (right < 6)) % 4 ? step >> 1 : size - 1 - (step >> 1);
			grid[y][x] ??= words[i >> 3] >> 7 - i++ % 8 & 1 ^ !((x + y) % 2);
		}
	}
	return grid.map((row) => row.join(""));
}

/** Rows of 0 and 1, without the quiet zone; nothing for what is too long. */
export function qr(text) {
	const bytes = new TextEncoder().encode(text);
	const version = ALL.findIndex((all, i) => bytes.length <= all - BLOCKS[i] * CHECKS[i] - (i < 9 ? 2 : 3)) + 1;
	return version && draw(codewords(bytes, version), version);
}
