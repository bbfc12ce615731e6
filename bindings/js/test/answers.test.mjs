// The installed package in Node: the bits of the native engine, places in UTF-16, options, refusals.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";

import { asGolden, charPlaces, expected, golden, imported, modelFile, project, questions } from "./support.mjs";

describe("answers", () => {
  let load, loadInWorker, BlockspanError, qa;
  before(async (t) => {
    ({ load, loadInWorker, BlockspanError } = await imported(project({ after: (end) => process.on("exit", end) })));
    qa = await load(modelFile);
  });
  const ask = (request) => qa.answer(request);
  /** That a question is refused, with this code and message. */
  const refused = (request, code, message) =>
    assert.rejects(ask(request), (error) => {
      assert(error instanceof BlockspanError && error instanceof Error, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });

  test("the numbers have the native engine's bits, and places count UTF-16 code units", async () => {
    assert.equal(questions.length, Object.keys(golden).length);
    assert.equal(qa.instructionSet, "simd128");
    for (const question of questions) {
      const { id, context } = question;
      const outcome = await ask({ question: question.question, context });
      assert.deepEqual(asGolden(outcome), expected(question), id);
      const [{ start, end, text }] = outcome.answers;
      assert.equal(context.slice(start, end), text, id);
      assert.deepEqual(charPlaces(context, { start, end }), golden[id].chars, id);
    }
  });

  test("a worker gives the same bits", async () => {
    const remote = await loadInWorker(modelFile);
    assert.deepEqual({ ...remote }, { ...qa });
    const some = questions.filter((_, index) => index % 10 === 0);
    const outcomes = await Promise.all(some.map(({ question, context }) => remote.answer({ question, context })));
    outcomes.forEach((outcome, index) => assert.deepEqual(asGolden(outcome), expected(some[index])));
    remote.close();
    await assert.rejects(remote.answer({ question: "q", context: "c" }), { code: "closed" });
  });

  test("pairs of surrogates count twice, lone ones are read as U+FFFD and count once", async () => {
    const question = "When was the lighthouse built?";
    for (const prefix of ["", "\u{1f956}", "\u{1f956}\u{1f956} 王 é ", "\ud83e ", "\udd56\udd56", "\ud83e\ud83e"]) {
      const context = `${prefix}The lighthouse was built in 1862 \u{1f956}.`;
      const { answers } = await ask({ question, context });
      assert.deepEqual([answers[0].text, context.slice(answers[0].start, answers[0].end)], ["1862", "1862"], prefix);
      const replaced = await ask({ question, context: context.toWellFormed() });
      assert.deepEqual(replaced.answers[0].start, answers[0].start);
    }
  });

  test("topK, nBest and maxAnswerLen", async () => {
    const context = "The lighthouse was built in 1862 by John Reed, and the harbour in 1871 by his daughter Anna Reed.";
    const question = "Who built the harbour?";
    const { answers } = await ask({ question, context, topK: 5 });
    assert.equal(answers.length, 5);
    assert.deepEqual(answers, answers.toSorted((a, b) => b.score - a.score));
    assert.equal(new Set(answers.map(({ start, end }) => `${start} ${end}`)).size, 5);
    const short = await ask({ question, context, topK: 20, maxAnswerLen: 1 });
    assert(short.answers.every(({ text }) => !text.includes(" ")));
    assert((await ask({ question, context, nBest: 1 })).answers[0].score === 1);
    assert.equal((await ask({ question, context, maxAnswerLen: Infinity })).answers.length, 1);
  });

  test("nullThreshold withholds answers, and nullDiff says how far it was", async () => {
    const request = { question: "When was the lighthouse built?", context: "The lighthouse was built in 1862." };
    const { nullDiff } = await ask(request);
    assert.deepEqual((await ask({ ...request, nullThreshold: nullDiff - 1 })).answers, []);
    assert.equal((await ask({ ...request, nullThreshold: nullDiff + 1 })).answers.length, 1);
    assert.equal((await ask({ ...request, nullThreshold: undefined })).answers.length, 1);
  });

  test("long contexts are read in windows; smaller ones by maxSeqLen", async () => {
    const context = "Gulls nest on the rocks below. ".repeat(80) + "The lighthouse was built in 1862.";
    const question = "When was the lighthouse built?";
    const { answers, windows } = await ask({ question, context });
    assert(windows > 1);
    assert.equal(context.slice(answers[0].start, answers[0].end), "1862");
    const small = await load(modelFile, { maxSeqLen: 64 });
    assert.equal(small.maxSeqLen, 64);
    assert((await small.answer({ question, context, docStride: 8 })).windows > 3 * windows);
    assert((await ask({ question, context, docStride: 300 })).windows > windows);
    small.close();
  });

  test("texts may grow: memory grows under the model and the answers stay", async () => {
    const question = "When was the lighthouse built?";
    const tail = "The lighthouse was built in 1862.";
    const before = await ask({ question, context: tail });
    await ask({ question: "q", context: " ".repeat(3e6) + tail });
    assert.deepEqual(await ask({ question, context: tail }), before);
  });

  test("what cannot be answered is refused in the caller's words", async () => {
    const context = "It was built in 1862.";
    await refused({ question: "", context }, "question", /^the question is empty/);
    await refused({ question: "q", context: " \n" }, "passage", /^the passage is empty/);
    await refused({ question: "when ".repeat(400), context }, "question", /400 tokens.* docStride; .*maxSeqLen or maxQueryLength$/);
    assert.equal((await ask({ question: "when ".repeat(400), context, maxQueryLength: 10 })).answers.length, 1);
    await refused({ context }, "option", /^question must be a string$/);
    await refused({ question: "q" }, "option", /^context must be a string/);
    await refused({ question: "q", context, top_k: 3 }, "option", /^answer has no option top_k; it has .*topK/);
    await refused({ question: "q", context, topK: 30 }, "option", /^topK is 30, but only nBest, 20/);
    for (const [name, values] of Object.entries({
      topK: [0, 65, 1.5, NaN, "1", -1],
      nBest: [0, 65, null],
      maxAnswerLen: [0, -3, 0.5, "5"],
      docStride: [-1, NaN],
      maxQueryLength: [0, null],
      nullThreshold: [NaN, "0", null],
    })) {
      for (const value of values) await refused({ question: "q", context, [name]: value }, "option", new RegExp(`^${name} must be `));
    }
    for (const value of [undefined, null, "q"]) await refused(value, "option", /^answer takes an object$/);
    await refused({ question: "q", context, docStride: 5000 }, "question", /docStride/);
  });

  test("a closed model answers no more, and says so", async () => {
    const other = await load(readFileSync(modelFile));
    other.close();
    other.close();
    await assert.rejects(other.answer({ question: "q", context: "c" }), { code: "closed", name: "BlockspanError" });
    assert.equal((await ask({ question: "When?", context: "In 1862." })).answers.length, 1);
  });
});
