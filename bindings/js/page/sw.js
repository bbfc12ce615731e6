// Keeps the page, so that it opens without a network. The model is kept by the page itself (`blockspan/src/store.js`).
// `files.js` is made by the build; its version changes with the content of any file, and with it this worker.
importScripts("files.js");

const { version, files, contentSecurityPolicy } = self.PAGE;
const scope = new URL(self.registration.scope);
const prefix = `blockspan-page ${scope.pathname} `;
const cacheName = prefix + version;
const paths = new Set(files.map((file) => file.path));

/** The response with the policy that a server may not have sent: for a worker, only its script's response counts. */
async function withPolicy(response) {
  const headers = new Headers(response.headers);
  headers.set("content-security-policy", contentSecurityPolicy);
  // Of what traveled, which may have been compressed.
  headers.delete("content-encoding");
  headers.delete("content-length");
  return new Response(await response.arrayBuffer(), { headers });
}

async function install() {
  const cache = await caches.open(cacheName);
  await Promise.all(
    files.map(async ({ path }) => {
      const response = await fetch(path, { cache: "no-cache" });
      if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`);
      await cache.put(path, await withPolicy(response));
    }),
  );
  await self.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(prefix) && name !== cacheName) await caches.delete(name);
  }
  await self.clients.claim();
}

/** Files of the page as they were installed. */
async function kept(path, request) {
  return (await caches.match(path, { cacheName })) ?? fetch(request);
}

/** What the server says now of the model, or said last. */
async function latest(request) {
  const cache = await caches.open(cacheName);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put("model.json", response.clone());
    return response;
  } catch (error) {
    return (await cache.match("model.json")) ?? Promise.reject(error);
  }
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const path = url.pathname.slice(scope.pathname.length) || "index.html";
  if (paths.has(path)) event.respondWith(kept(path, event.request));
  else if (path === "model.json") event.respondWith(latest(event.request));
});
