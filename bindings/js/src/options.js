// What callers pass, checked.

import { BlockspanError } from "./error.js";

const MAX_N_BEST = 64;
const LARGEST = 0xfffffffe;

function refuse(message) {
  throw new BlockspanError("option", message);
}

/** Refuses what is no object, and names that nobody knows. */
function known(object, what, names) {
  if (object === null || typeof object !== "object") refuse(`${what} takes an object`);
  for (const name of Object.keys(object)) {
    if (!names.includes(name)) refuse(`${what} has no option ${name}; it has ${names.join(", ")}`);
  }
}

function integer(name, value, least, most) {
  // More than there is room for is as much as there is room for.
  if (value === Infinity && most === LARGEST) return LARGEST;
  if (!Number.isSafeInteger(value) || value < least || (most !== LARGEST && value > most)) {
    refuse(`${name} must be a whole number, ${most === LARGEST ? `at least ${least}` : `${least} to ${most}`}`);
  }
  return Math.min(value, most);
}

/** The options of `answer`, with the defaults of the engine. */
export function answerOptions(request) {
  known(request, "answer", [
    "question",
    "context",
    "topK",
    "nBest",
    "maxAnswerLen",
    "docStride",
    "maxQueryLength",
    "nullThreshold",
  ]);
  const { question, context, topK = 1, nBest = 20, maxAnswerLen = 30, nullThreshold = Infinity } = request;
  const { docStride, maxQueryLength } = request;
  if (typeof question !== "string") refuse("question must be a string");
  if (typeof context !== "string") refuse("context must be a string: the passage that holds the answer");
  if (typeof nullThreshold !== "number" || Number.isNaN(nullThreshold)) refuse("nullThreshold must be a number");
  const options = {
    nBest: integer("nBest", nBest, 1, MAX_N_BEST),
    topK: integer("topK", topK, 1, MAX_N_BEST),
    maxAnswerLen: integer("maxAnswerLen", maxAnswerLen, 1, LARGEST),
    docStride: docStride === undefined ? undefined : integer("docStride", docStride, 0, LARGEST),
    maxQueryLength: maxQueryLength === undefined ? undefined : integer("maxQueryLength", maxQueryLength, 1, LARGEST),
    nullThreshold,
  };
  if (options.topK > options.nBest) refuse(`topK is ${topK}, but only nBest, ${nBest}, spans are kept; raise nBest`);
  return { question, context, options };
}

/** The options of `load`. */
export function loadOptions(options) {
  known(options, "load", ["maxSeqLen", "onProgress", "sha256", "signal"]);
  const { maxSeqLen, onProgress, sha256, signal } = options;
  if (onProgress !== undefined && typeof onProgress !== "function") refuse("onProgress must be a function");
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") refuse("signal must be an AbortSignal");
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) refuse("sha256 must be 64 hexadecimal digits");
  return {
    maxSeqLen: maxSeqLen === undefined ? undefined : integer("maxSeqLen", maxSeqLen, 8, LARGEST),
    onProgress,
    sha256: sha256?.toLowerCase(),
    signal,
  };
}
