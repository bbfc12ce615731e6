// Asks a running server through @huggingface/inference: node ask.mjs URL

import assert from "node:assert/strict";

import { InferenceClient } from "@huggingface/inference";

const question = "Who took over the café?";
const context = "𝒜 café 🥐 on Großer Platz was taken over by Hélène Brûlé in 1923. It was closed in 1950.";
// Places count characters, as in Python.
const characters = [...context];

const url = process.argv[2];
const client = new InferenceClient().endpoint(url);

/** What the server says, without a client. */
async function raw(parameters) {
  const body = JSON.stringify({ inputs: { question, context }, parameters });
  const headers = { "Content-Type": "application/json" };
  return (await fetch(url, { method: "POST", headers, body })).json();
}

for (const parameters of [undefined, { top_k: 1 }, { top_k: 3 }, { max_answer_len: 1, handle_impossible_answer: true }]) {
  const found = await client.questionAnswering({ inputs: { question, context }, parameters });
  // Of a list this client gives the first.
  assert.deepEqual(found, [await raw(parameters)].flat()[0]);
  const { answer, score, start, end } = found;
  assert.equal(characters.slice(start, end).join(""), answer);
  assert.ok(score >= 0 && score <= 1);
}
const { answer } = await client.questionAnswering({ inputs: { question: "When was it taken over?", context } });
assert.equal(answer, "1923");
await assert.rejects(client.questionAnswering({ inputs: { question: "", context } }), /the question is empty/);
console.log("@huggingface/inference: ok");
