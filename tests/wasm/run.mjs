// node run.mjs MODULE.wasm [INSTRUCTION-SET...]: runs the comparisons and expects them for these instruction sets.
import { readFileSync } from "node:fs";

const [path, ...expected] = process.argv.slice(2);
const lines = [];
const env = {
  print(text, length) {
    const line = new TextDecoder().decode(new Uint8Array(exports.memory.buffer, text, length));
    console.log(line);
    lines.push(line);
  },
};
const { exports } = (await WebAssembly.instantiate(readFileSync(path), { env })).instance;
exports.compare();
if (lines.join() !== expected.join()) {
  console.log(`expected the instruction sets [${expected}], compared [${lines}]`);
  process.exit(1);
}
