// The module's boundary, without the package around it: calls out of order and numbers out of range are refused.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { here, modelFile } from "./support.mjs";

const module = new WebAssembly.Module(readFileSync(join(here, "target/package/blockspan.wasm")));
const bytes = readFileSync(modelFile);
const NONE = 0xffffffff;
const [OK, MODEL, OPTION, PASSAGE, INTERNAL] = [0, 1, 2, 4, 6];

const fresh = () => new WebAssembly.Instance(module, {}).exports;

function write(exports, address, data) {
  new Uint8Array(exports.memory.buffer, address >>> 0, data.length).set(data);
}

/** An instance with the model open. */
function opened() {
  const exports = fresh();
  write(exports, exports.reserve_model(bytes.length), bytes);
  assert.equal(exports.open_model(bytes.length, NONE), OK);
  return exports;
}

/** Asks with these texts, which are bytes, and the numbers of `answer` behind the lengths. */
function ask(exports, question, passage, ...numbers) {
  const texts = Buffer.concat([Buffer.from(question), Buffer.from(passage)]);
  write(exports, exports.reserve_texts(texts.length), texts);
  const [topK = 1, nBest = 20, maxAnswerLen = 30, docStride = NONE, maxQueryLength = NONE, threshold = Infinity] = numbers;
  const lengths = [Buffer.byteLength(question), Buffer.byteLength(passage)];
  return exports.answer(...lengths, topK, nBest, maxAnswerLen, docStride, maxQueryLength, threshold);
}

const found = (exports) => new DataView(exports.memory.buffer).getUint32(exports.reply(), true);

test("it imports nothing", () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  assert.deepEqual(WebAssembly.Module.customSections(module, "name"), []);
});

test("calls out of order are refused, and harm nothing", () => {
  const exports = fresh();
  const before = exports.memory.buffer.byteLength;
  assert.equal(exports.answer(0, 0, 1, 20, 30, NONE, NONE, Infinity), INTERNAL);
  assert.equal(exports.open_model(0, NONE), INTERNAL);
  assert.equal(exports.reserve_texts(100), 0);
  assert.equal(exports.memory.buffer.byteLength, before);

  const address = exports.reserve_model(100);
  assert.equal(address % 64, 0);
  assert(address >= before);
  // More room, at the same address, with what was written.
  write(exports, address, bytes.subarray(0, 100));
  assert.equal(exports.reserve_model(bytes.length), address);
  assert.deepEqual(Buffer.from(exports.memory.buffer, address, 100), bytes.subarray(0, 100));
  assert.equal(exports.open_model(bytes.length + 1, NONE), INTERNAL);
  assert.equal(exports.open_model(100, NONE), MODEL);
  write(exports, address, bytes);
  assert.equal(exports.open_model(bytes.length, NONE), OK);

  assert.equal(exports.open_model(bytes.length, NONE), INTERNAL);
  assert.equal(exports.reserve_model(bytes.length + 1), 0);
  assert.equal(exports.answer(1, 1, 1, 20, 30, NONE, NONE, Infinity), INTERNAL);
  assert.equal(ask(exports, "When?", "In 1862."), OK);
  assert.equal(exports.answer(6, 8, 1, 20, 30, NONE, NONE, Infinity), INTERNAL);
  assert.equal(exports.answer(NONE, NONE, 1, 20, 30, NONE, NONE, Infinity), INTERNAL);
});

test("lengths beyond the address space are refused", () => {
  const exports = fresh();
  for (const length of [NONE, NONE - 65_536, 0x8000_0000]) assert.equal(exports.reserve_model(length), 0);
  assert.notEqual(exports.reserve_model(64), 0);
  const other = opened();
  assert.equal(other.reserve_texts(NONE), 0);
  assert.equal(ask(other, "When?", "In 1862."), OK);
});

test("windows out of range are refused", () => {
  for (const [maxSeqLen, status] of [[0, OPTION], [7, OPTION], [8, OK], [512, OK], [513, OPTION], [NONE - 1, OPTION]]) {
    const exports = fresh();
    write(exports, exports.reserve_model(bytes.length), bytes);
    assert.equal(exports.open_model(bytes.length, maxSeqLen), status, String(maxSeqLen));
  }
});

test("numbers out of range are refused, and too many answers are as many as there are", () => {
  const exports = opened();
  const passage = "It was built in 1862 by John Reed, and painted white in 1871.";
  for (const [topK, count] of [[0, 0], [3, 3], [20, 20], [64, 20], [65, 20], [NONE, 20]]) {
    assert.equal(ask(exports, "When?", passage, topK), OK);
    assert.equal(found(exports), count);
  }
  for (const numbers of [[1, 0], [1, 65], [1, NONE], [1, 20, 0], [1, 20, 30, NONE, 0], [1, 20, 30, NONE, NONE, NaN]]) {
    assert.equal(ask(exports, "When?", passage, ...numbers), OPTION, numbers.join());
  }
  assert.equal(ask(exports, "When?", passage, 64, 64, NONE, 0, NONE, Infinity), OK);
  assert.equal(found(exports), 64);
});

test("bytes that are no text are refused with their place", () => {
  const exports = opened();
  assert.equal(ask(exports, "When?", Buffer.from([0x49, 0x6e, 0x20, 0xff])), INTERNAL);
  const address = exports.message();
  const length = new DataView(exports.memory.buffer).getUint32(address, true);
  assert.match(Buffer.from(exports.memory.buffer, address + 4, length).toString(), /^the passage is not UTF-8 at byte 3/);
  assert.equal(ask(exports, "When?", ""), PASSAGE);
});
