// What the package reads from a model's metadata.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { imported, modelFile, project } from "./support.mjs";
import { withMetadata, xxh64 } from "./metadata.mjs";

test("XXH64 gives the values of the reference implementation", () => {
  const known = {
    "": 0xef46db3751d8e999n,
    a: 0xd24ec4f1a98c6e5bn,
    abc: 0x44bc2cf5ad770999n,
    "Nobody inspects the spammish repetition": 0xfbcea83c8a378bf1n,
  };
  for (const [text, hash] of Object.entries(known)) assert.equal(xxh64(Buffer.from(text)), hash, text);
});

test("metadata is read by key, and null_threshold as a number if it is one", async (t) => {
  const { load } = await imported(project(t));
  const model = readFileSync(modelFile);
  const of = async (lines) => load(withMetadata(model, lines));
  const qa = await of("null_threshold: -12.5\nf1: a: b\n");
  assert.equal(qa.nullThreshold, -12.5);
  assert.deepEqual([qa.metadata.null_threshold, qa.metadata.f1], ["-12.5", "a: b"]);
  assert.equal(Object.getPrototypeOf((await of("__proto__: x\n")).metadata), Object.prototype);
  for (const other of ["f1: 1\n", "null_threshold:\n", "null_threshold: none\n", "null_threshold: inf\n"]) {
    assert.equal((await of(other)).nullThreshold, undefined, other);
  }
  assert.equal((await of("null_threshold: 0\n")).nullThreshold, 0);
});
