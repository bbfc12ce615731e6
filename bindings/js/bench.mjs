// node bench.mjs BLOCKSPAN [TOKENS...]: times forward passes of the module beside those of the command BLOCKSPAN (of
// `cargo build --release`), scalar and with its fastest instructions, all on one thread and in turns, and prints the
// ratios of the fastest passes. Needs `npm run build`.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

const ROUNDS = 12;
const PASSES = 4;

const [command, ...lengths] = process.argv.slice(2);
if (!command) throw new Error("usage: node bench.mjs BLOCKSPAN [TOKENS...]");
const tokens = lengths.length ? lengths.map(Number) : [48, 128, 384];

const { load } = await import("./target/package/src/node.js");
const model = join(import.meta.dirname, "../../fixtures/default.bspan");
const qa = await load(model);

/** Milliseconds of the command's fastest passes, by length. */
function native(...options) {
  const words = ["bench", "--json", "--model", model, "--threads", "1", "--repeat", PASSES, "--tokens", tokens.join()];
  const { runs } = JSON.parse(execFileSync(command, [...words, ...options].map(String), { encoding: "utf8" }));
  return new Map(runs.map((run) => [run.tokens, run.min_ms]));
}

/** The same for the module: one window of one-word tokens, of which the question and three special tokens are four. */
async function module() {
  const times = new Map();
  for (const length of tokens) {
    const context = "rock ".repeat(length - 4);
    for (let pass = 0; pass < PASSES; pass++) {
      const before = performance.now();
      const { windows } = await qa.answer({ question: "when", context });
      if (windows !== 1) throw new Error(`${length} tokens are more than a window`);
      times.set(length, Math.min(times.get(length) ?? Infinity, performance.now() - before));
    }
  }
  return times;
}

const best = { "native, scalar": new Map(), "native, fastest": new Map(), "WebAssembly, simd128": new Map() };
for (let round = 0; round < ROUNDS; round++) {
  const measured = [native("--isa", "scalar"), native(), await module()];
  Object.values(best).forEach((times, index) => {
    for (const [length, ms] of measured[index]) times.set(length, Math.min(times.get(length) ?? Infinity, ms));
  });
}
const [scalar, fastest, wasm] = Object.values(best);
console.log(["tokens", ...Object.keys(best)].join("\t"));
for (const length of tokens) {
  const row = [scalar, fastest, wasm].map((times) => `${times.get(length).toFixed(2)} ms`);
  const ratios = `${(scalar.get(length) / wasm.get(length)).toFixed(2)} × as fast as scalar, ${(wasm.get(length) / fastest.get(length)).toFixed(2)} × the time of the fastest`;
  console.log([length, ...row, ratios].join("\t"));
}
