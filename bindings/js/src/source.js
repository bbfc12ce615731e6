// Where a model's bytes come from: `{ name, length, chunks, type }`, with `length` undefined if nobody says it.

import { BlockspanError, reasonOf } from "./error.js";

/** The magic number of a model (`engine/FORMAT.md`). */
const MAGIC = [0x89, 0x42, 0x53, 0x50, 0x41, 0x4e, 0x0d, 0x0a];

/** A source of any kind that `load` takes. */
export async function open(source, platform, signal, cache) {
  if (ArrayBuffer.isView(source)) {
    return ofBytes(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  }
  if (source instanceof ArrayBuffer || (globalThis.SharedArrayBuffer && source instanceof SharedArrayBuffer)) {
    return ofBytes(new Uint8Array(source));
  }
  if (globalThis.Blob && source instanceof Blob) {
    return { name: source.name || "the model", length: source.size, chunks: read(source.stream()) };
  }
  if (globalThis.Response && source instanceof Response) return ofResponse(source.url || "the model", source);
  if (typeof source === "string" || source instanceof URL) return platform.open(source, signal, cache);
  throw new BlockspanError("option", "load takes a URL, a Response, a Blob or the model's bytes");
}

function ofBytes(bytes) {
  return { name: "the model", length: bytes.length, chunks: [bytes] };
}

/** A model that is fetched; `cache` as for `fetch`. */
export async function fetchModel(url, signal, cache) {
  let response;
  try {
    response = await fetch(url, { signal, cache });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new BlockspanError("source", `${url}: cannot be fetched: ${reasonOf(cause)}`, { cause });
  }
  return ofResponse(url, response);
}

export function ofResponse(name, response) {
  if (!response.ok) {
    response.body?.cancel().catch(() => {});
    const status = `HTTP ${response.status} ${response.statusText}`.trim();
    throw new BlockspanError("source", `${name}: ${status}; check the address`);
  }
  // The length of what travels, which is another if it is compressed.
  const stated = response.headers.get("content-encoding") ? NaN : parseInt(response.headers.get("content-length"));
  return {
    name,
    length: Number.isNaN(stated) ? undefined : stated,
    chunks: read(response.body),
    type: response.headers.get("content-type") ?? "",
  };
}

/** The chunks of a stream, which is canceled if not all of them are taken. */
async function* read(stream) {
  const reader = stream?.getReader();
  let done = !reader;
  try {
    while (!done) {
      const next = await reader.read();
      done = next.done;
      if (!done) yield next.value;
    }
  } finally {
    if (!done) reader.cancel().catch(() => {});
  }
}

/** Writes all of a source to the engine. */
export async function fill(engine, { name, length, chunks, type }, { onProgress, signal, cached }) {
  let loaded = 0;
  let checked = false;
  const progress = () => onProgress?.({ loaded, total: length >= loaded ? length : undefined, cached });
  if (length > 0) engine.reserve(length);
  progress();
  const iterator = chunks[Symbol.asyncIterator]?.() ?? chunks[Symbol.iterator]();
  try {
    for (;;) {
      const { done, value } = await next(iterator, { name, length, loaded, signal });
      if (done) break;
      engine.append(value);
      loaded += value.length;
      // What is no model need not come to its end.
      if (!checked && loaded >= MAGIC.length) {
        checked = true;
        if (!isModel(engine.model)) break;
      }
      progress();
    }
  } finally {
    await iterator.return?.();
  }
  const what = isModel(engine.model) ? undefined : recognized(engine.model, type);
  if (what) throw new BlockspanError("model", `${name}: ${what}`);
}

async function next(iterator, { name, length, loaded, signal }) {
  signal?.throwIfAborted();
  try {
    return await iterator.next();
  } catch (cause) {
    signal?.throwIfAborted();
    const of = length >= loaded ? `${loaded} of ${length}` : loaded;
    throw new BlockspanError("source", `${name}: broke off after ${of} bytes: ${reasonOf(cause)}; load it again`, {
      cause,
    });
  }
}

function isModel(bytes) {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

/** What comes in place of a model; `undefined` if the engine's own message says it best. */
function recognized(bytes, type) {
  const head = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
  if (/^text\/html/i.test(type) || /^<(?:!doctype|html|head|\?xml)/i.test(head)) {
    return "a web page came in place of the model; check the address";
  }
  if (head.startsWith("version https://git-lfs")) {
    return "a Git LFS pointer came in place of the model; run git lfs pull, or take the address of the file itself";
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "the model is compressed with gzip; unpack it";
  return undefined;
}
