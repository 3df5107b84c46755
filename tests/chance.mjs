// chance.mjs: what a test leaves to chance comes from one seed, which is printed once; SEED=..., in the environment,
// gives the same again. http/chance.py is the same for Python.
import { createCipheriv, createHash } from "node:crypto";

if (!process.env.SEED) {
	process.env.SEED = String(Math.floor(Date.now() / 1000)); // whatever a test starts goes by it, too
	console.log(`SEED=${process.env.SEED}`);
}

const drawn = new Map();

/** Bytes: the next ones each time for each name, whatever is drawn under others. */
export function noise(size, name) {
	const turn = drawn.get(name) ?? 0;
	drawn.set(name, turn + 1);
	const key = createHash("sha256").update(JSON.stringify([process.env.SEED, name, turn])).digest();
	return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
