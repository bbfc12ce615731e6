// A model that answers in this thread.

import { BlockspanError } from "./error.js";
import { answerOptions } from "./options.js";

/** Lines `key: value`. */
function entries(metadata) {
  const lines = metadata.split("\n").filter((line) => line.includes(":"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]),
  );
}

/** What a model says of itself, as properties. */
function properties(info) {
  const metadata = entries(info.metadata);
  const threshold = metadata.null_threshold ? Number(metadata.null_threshold) : NaN;
  return { ...info, metadata, nullThreshold: Number.isFinite(threshold) ? threshold : undefined };
}

export class QuestionAnswering {
  #engine;

  /** `engine` has its model; `info` is what `Engine.open` returned. */
  constructor(engine, info, cached) {
    this.#engine = engine;
    Object.assign(this, properties(info), { cached });
  }

  async answer(request) {
    if (!this.#engine) throw new BlockspanError("closed", "this model is closed; load it again");
    const { question, context, options } = answerOptions(request);
    return this.#engine.answer(question, context, options);
  }

  close() {
    this.#engine = undefined;
  }
}
