// A model that answers in a worker: the side of whoever asks.

import { BlockspanError } from "./error.js";
import { loadOptions } from "./options.js";

/** `loadInWorker` on a platform whose workers `start` starts and whose addresses are relative to `base()`. */
export function inWorker(start, base) {
  return async function loadInWorker(source, options = {}) {
    const { onProgress, signal, ...others } = loadOptions(options);
    signal?.throwIfAborted();
    const calls = new Calls(start(), onProgress);
    const abort = () => calls.end(signal.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const argument = { source: portable(source, base?.()), options: others, reports: Boolean(onProgress) };
      return new RemoteAnswering(calls, await calls.call("load", argument));
    } catch (error) {
      calls.end(error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  };
}

/** What a message can carry: a worker has another place that addresses are relative to, and streams stay here. */
function portable(source, base) {
  if (globalThis.Response && source instanceof Response) {
    throw new BlockspanError("option", "loadInWorker takes no Response; give its URL, or its bytes");
  }
  if (source instanceof URL) return source.href;
  if (typeof source === "string" && base && URL.canParse(source, base)) return new URL(source, base).href;
  return source;
}

class RemoteAnswering {
  #calls;

  constructor(calls, properties) {
    this.#calls = calls;
    Object.assign(this, properties);
  }

  async answer(request) {
    return this.#calls.call("answer", request);
  }

  close() {
    this.#calls.end(new BlockspanError("closed", "this model is closed; load it again"));
  }
}

/** Calls that wait for their replies. */
class Calls {
  #port;
  #waiting = new Map();
  #last = 0;
  #ended;

  constructor(port, onProgress) {
    this.#port = port;
    const onMessage = ({ id, progress, result, error }) => {
      if (progress) {
        if (!this.#ended) onProgress?.(progress);
        return;
      }
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) port.idle?.();
      if (error) waiting?.reject(revived(error));
      else waiting?.resolve(result);
    };
    const onError = (reason) => this.end(new BlockspanError("unsupported", `the worker failed: ${reason}`));
    port.listen(onMessage, onError);
  }

  call(call, argument) {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#port.post({ id, call, argument });
      this.#waiting.set(id, { resolve, reject });
      this.#port.busy?.();
    });
  }

  /** Ends the worker; what waits, and what is called from now on, fails for this reason. */
  end(reason) {
    if (this.#ended) return;
    this.#ended = reason;
    this.#port.end();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

function revived({ code, name, message }) {
  if (name === "BlockspanError") return new BlockspanError(code, message);
  return Object.assign(new Error(message), { name });
}
