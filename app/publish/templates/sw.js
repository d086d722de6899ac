// Keeps all files of the page, so that it works without a network. A new version is fetched whole
// beside the old one, and takes over when the page is opened the next time.

const SITE = `${registration.scope} `; // an origin may have several pages with caches of their own
const VERSION = `${SITE}VERSION_HERE`;
const FILES = [] /* FILES_HERE */;

addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(fresh)));
});

addEventListener("activate", (event) => event.waitUntil(takeOver()));

async function takeOver() {
  const old = (await caches.keys()).filter((name) => name.startsWith(SITE) && name !== VERSION);
  for (const name of old) await caches.delete(name);
  await clients.claim();
}

addEventListener("message", ({ data }) => {
  if (data === "take over") skipWaiting();
});

addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(kept(event.request));
});

async function kept(request) {
  const cache = await caches.open(VERSION);
  const found = await cache.match(request, { ignoreSearch: true });
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone()); // one that had come in damaged
  return answer;
}
