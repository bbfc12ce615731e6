/** Where a model (`*.bspan`) comes from. A string is a URL, in a browser relative to the page; in Node also a path. */
export type ModelSource = string | URL | Response | Blob | ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

export interface LoadProgress {
  /** Bytes read so far. */
  loaded: number;
  /** Bytes of the whole file, if the server says it. */
  total: number | undefined;
  /** Whether they come from the browser's Cache API, and not over the network. */
  cached: boolean;
}

export interface LoadOptions {
  /** Called at the start and after each piece that has come. */
  onProgress?: (progress: LoadProgress) => void;
  /** Ends the download; `load` then rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * The file's SHA-256 in hexadecimal. If given, a file with another one is refused, and the browser keeps the model
   * in its Cache API: the next `load` of this address and hash needs no network. Pages that came over plain HTTP
   * (other than from localhost) have neither the hash nor the cache; there it has no effect.
   */
  sha256?: string;
  /** Tokens of a window, at least 8. Fewer take less memory. Default: as the model was packed for. */
  maxSeqLen?: number;
}

export interface AnswerRequest {
  question: string;
  /** The passage, of any length. Lone surrogates are read as U+FFFD. */
  context: string;
  /** How many answers at most; 1 to `nBest`. Default 1. */
  topK?: number;
  /** Starts and ends examined per window, and spans that share the score; 1 to 64. Default 20. */
  nBest?: number;
  /** Tokens of the longest answer. Default 30. */
  maxAnswerLen?: number;
  /** Tokens that neighboring windows of a long context share. Default: the model's. */
  docStride?: number;
  /** A longer question is cut to its first so many tokens. Default: a question that leaves no room is refused. */
  maxQueryLength?: number;
  /**
   * There are no answers where `nullDiff` is above it, and below it "no answer" has its part in the scores. Default
   * `Infinity`: always answer. `QuestionAnswering.nullThreshold` is what the model recommends.
   */
  nullThreshold?: number;
}

export interface Answer {
  /** `context.slice(start, end)`. */
  text: string;
  /** Place of the first UTF-16 code unit in `context`. */
  start: number;
  /** One past the last code unit. */
  end: number;
  /** Probability among the `nBest` spans. */
  score: number;
  /** Logit of the first token as a start. */
  startLogit: number;
  /** Logit of the last token as an end. */
  endLogit: number;
}

export interface AnswerResult {
  /** Best first. */
  answers: Answer[];
  /** Score of "no answer" less that of the best span: the higher, the likelier the context does not hold the answer. */
  nullDiff: number;
  /** Windows that the context took. */
  windows: number;
}

export interface QuestionAnswering {
  /** Answers a question. With `load` it computes in the calling thread, with `loadInWorker` in the worker. */
  answer(request: AnswerRequest): Promise<AnswerResult>;
  /** Lets go of the model, and ends the worker. */
  close(): void;
  /** What whoever packed the model wrote into it, by key. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The threshold for "no answer" that the model recommends, if it does. */
  readonly nullThreshold: number | undefined;
  /** Whether the browser has kept the model, so that the next `load` needs no network. */
  readonly cached: boolean;
  /** Tokens of a window: question, context and three special tokens. */
  readonly maxSeqLen: number;
  /** Tokens that neighboring windows share by default. */
  readonly docStride: number;
  /** Tokens of the longest window that the model allows. */
  readonly maxPositions: number;
  /** Encoder layers. */
  readonly layers: number;
  /** Width of the hidden states. */
  readonly hiddenSize: number;
  /** The instructions that compute: `"simd128"`. */
  readonly instructionSet: string;
}

/** Loads a model into this thread. */
export function load(source: ModelSource, options?: LoadOptions): Promise<QuestionAnswering>;

/** Loads a model into a worker of its own, so that answering blocks nothing. Takes every source but a `Response`. */
export function loadInWorker(
  source: Exclude<ModelSource, Response>,
  options?: LoadOptions,
): Promise<QuestionAnswering>;

export type ErrorCode =
  /** The source cannot be read: HTTP status, network, file. */
  | "source"
  /** What was read is no model, or a damaged one. */
  | "model"
  /** An argument is wrong. */
  | "option"
  /** The question is empty or too long. */
  | "question"
  /** The context is empty. */
  | "passage"
  /** There is not enough memory. */
  | "memory"
  /** The model was closed. */
  | "closed"
  /** WebAssembly with SIMD, or the worker, cannot be started. */
  | "unsupported"
  /** A defect of this package. */
  | "internal";

/** What goes wrong, in one line. (An aborted `load` rejects with the signal's reason instead.) */
export class BlockspanError extends Error {
  readonly name: "BlockspanError";
  readonly code: ErrorCode;
}
