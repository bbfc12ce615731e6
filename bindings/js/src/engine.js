// One instance of blockspan.wasm: its memory and its calls, which `wasm/src/lib.rs` describes.

import { BlockspanError } from "./error.js";

/** By the numbers of `Status` in `wasm/src/status.rs`. */
const STATUS = ["ok", "model", "option", "question", "passage", "memory", "internal"];

/** "As the model says", and "no limit". */
const DEFAULT = 0xffffffff;

/** Memory for a model of unknown length grows by multiples of so many bytes. */
const GROWTH = 1 << 20;

/** Bytes of the structure `Reply` before its answers, and of an answer. */
const REPLY_HEAD = 12;
const FOUND = 20;

/** What the module calls an option, and what this package does. */
const camelCase = (message) =>
  message.replace(/\b(?:doc_stride|max_answer_len|max_query_length|max_seq_len|n_best|null_threshold)\b/g, (name) =>
    name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()),
  );

export class Engine {
  #exports;
  /** Where the model begins, how long it is so far, and how long it may get without another call. */
  #model = { address: 0, length: 0, room: 0 };
  #encoder = new TextEncoder();
  #decoder = new TextDecoder();

  constructor(instance) {
    this.#exports = instance.exports;
  }

  /** An instance without a model. */
  static async of(module) {
    return new Engine(await WebAssembly.instantiate(module, {}));
  }

  /** Makes room for a model of `length` bytes. */
  reserve(length) {
    // Numbers of JavaScript would be cut to 32 bits; addresses come back signed.
    const address = length <= DEFAULT ? this.#exports.reserve_model(length) >>> 0 : 0;
    if (address === 0) throw new BlockspanError("memory", `no memory for a model of ${length} bytes`);
    this.#model.address = address;
    this.#model.room = length;
  }

  /** Appends bytes to the model. */
  append(chunk) {
    const end = this.#model.length + chunk.length;
    if (end > this.#model.room) this.reserve(Math.ceil(end / GROWTH) * GROWTH);
    this.#bytes(this.#model.address + this.#model.length, chunk.length).set(chunk);
    this.#model.length = end;
  }

  /** The model's bytes so far, valid until the next call. */
  get model() {
    return this.#bytes(this.#model.address, this.#model.length);
  }

  /** Checks the model and gets ready to answer; once. Returns what is known of it. */
  open(maxSeqLen = DEFAULT) {
    if (this.#model.room === 0) this.reserve(GROWTH);
    this.#call("open_model", this.#model.length, maxSeqLen);
    const word = this.#words(this.#exports.model_info(), 9);
    return {
      metadata: this.#text(word(0), word(1)),
      maxSeqLen: word(2),
      docStride: word(3),
      maxPositions: word(4),
      layers: word(5),
      hiddenSize: word(6),
      instructionSet: this.#text(word(7), word(8)),
    };
  }

  /** Answers; the options are checked already. */
  answer(question, context, { topK, nBest, maxAnswerLen, docStride, maxQueryLength, nullThreshold }) {
    // A lone surrogate becomes U+FFFD, which is one code unit too: places in the text stay right.
    const texts = [this.#encoder.encode(question), this.#encoder.encode(context)];
    const length = texts[0].length + texts[1].length;
    const address = length <= DEFAULT ? this.#exports.reserve_texts(length) >>> 0 : 0;
    if (address === 0) throw new BlockspanError("memory", `no memory for texts of ${length} bytes; split the context`);
    this.#bytes(address, texts[0].length).set(texts[0]);
    this.#bytes(address + texts[0].length, texts[1].length).set(texts[1]);
    this.#call(
      "answer",
      texts[0].length,
      texts[1].length,
      topK,
      nBest,
      maxAnswerLen,
      docStride ?? DEFAULT,
      maxQueryLength ?? DEFAULT,
      nullThreshold,
    );
    return this.#reply(context);
  }

  #reply(context) {
    const address = this.#exports.reply() >>> 0;
    const head = new DataView(this.#exports.memory.buffer, address);
    const count = head.getUint32(0, true);
    const answers = Array.from({ length: count }, (_, index) => {
      const found = new DataView(this.#exports.memory.buffer, address + REPLY_HEAD + FOUND * index, FOUND);
      const start = found.getUint32(0, true);
      const end = found.getUint32(4, true);
      return {
        text: context.slice(start, end),
        start,
        end,
        score: found.getFloat32(8, true),
        startLogit: found.getFloat32(12, true),
        endLogit: found.getFloat32(16, true),
      };
    });
    return { answers, nullDiff: head.getFloat32(8, true), windows: head.getUint32(4, true) };
  }

  /** Calls a function that returns a status, and throws what it says. */
  #call(name, ...values) {
    let status;
    try {
      status = this.#exports[name](...values);
    } catch (cause) {
      throw new BlockspanError("internal", `internal error: ${cause.message}; please report it`, { cause });
    }
    if (status === 0) return;
    const address = this.#exports.message() >>> 0;
    const message = this.#text(address + 4, this.#words(address, 1)(0));
    throw new BlockspanError(STATUS[status] ?? "internal", camelCase(message));
  }

  #words(address, count) {
    const view = new DataView(this.#exports.memory.buffer, address >>> 0, 4 * count);
    return (index) => view.getUint32(4 * index, true);
  }

  #text(address, length) {
    return this.#decoder.decode(this.#bytes(address, length));
  }

  #bytes(address, length) {
    return new Uint8Array(this.#exports.memory.buffer, address, length);
  }
}
