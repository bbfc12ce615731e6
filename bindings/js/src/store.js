// Models kept in the browser's Cache API, by the hash of their content.

const NAME = "blockspan-models";

/** A place for the model of this address and hash; `undefined` where there is no Cache API. */
export async function storeFor(source, sha256, base) {
  if (!sha256 || !globalThis.caches || (typeof source !== "string" && !(source instanceof URL))) return undefined;
  const key = new URL(source, base);
  if (!/^https?:$/.test(key.protocol)) return undefined;
  key.searchParams.set("sha256", sha256);
  key.hash = "";
  try {
    return new Store(await caches.open(NAME), key);
  } catch {
    // A browser that keeps nothing, for example in a private window.
    return undefined;
  }
}

class Store {
  #cache;
  #key;

  constructor(cache, key) {
    this.#cache = cache;
    this.#key = key;
  }

  async find() {
    return this.#cache.match(this.#key.href).catch(() => undefined);
  }

  async forget() {
    await this.#cache.delete(this.#key.href).catch(() => {});
  }

  /** Keeps the bytes, drops other versions of the same address; says whether there was room. */
  async keep(bytes) {
    const headers = { "content-type": "application/octet-stream", "content-length": String(bytes.length) };
    try {
      await this.#cache.put(this.#key.href, new Response(bytes, { headers }));
      for (const { url } of await this.#cache.keys()) {
        const other = new URL(url);
        const sameFile = other.origin === this.#key.origin && other.pathname === this.#key.pathname;
        if (sameFile && url !== this.#key.href) await this.#cache.delete(url);
      }
      return true;
    } catch {
      await this.forget();
      return false;
    }
  }
}
