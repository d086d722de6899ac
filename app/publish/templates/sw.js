// Keeps all files of the page, so that it works without a network. A new version is fetched whole
// beside the old one. A page gets the newest when it is opened, and has that version until it is
// closed: the files of two never come together.

const SITE = `${registration.scope} `; // an origin may have several pages with caches of their own
const VERSION = `${SITE}VERSION_HERE`;
const CHOSEN = `${SITE}chosen`; // the cache of the newest version, and of each page and its workers
const FILES = [] /* FILES_HERE */;

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(kept(event));
  if (event.request.mode === "navigate") event.waitUntil(tidy(event.resultingClientId));
});

async function install() {
  const cache = await caches.open(VERSION);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
  await choose("newest", VERSION);
  skipWaiting();
}

/** Takes on the page of a first visit, whose files came without this worker. */
async function activate() {
  await clients.claim();
  for (const { id } of await clients.matchAll({ type: "all" })) {
    if (!(await chosen(id))) await choose(id, VERSION);
  }
}

async function kept({ request, clientId, resultingClientId }) {
  const opened = request.mode === "navigate" || !clientId;
  const version = (!opened && (await chosen(clientId))) || (await chosen("newest")) || VERSION;
  if (resultingClientId) await choose(resultingClientId, version).catch(full);
  const cache = await caches.open(version);
  const found = await cache.match(request, { ignoreSearch: true });
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone()).catch(full); // it had been damaged
  return answer;
}

/** A visitor with a full disk goes without what was to be kept. */
function full() {}

async function chosen(id) {
  const answer = await caches.match(id, { cacheName: CHOSEN });
  return answer?.text();
}

async function choose(id, version) {
  const cache = await caches.open(CHOSEN);
  await cache.put(id, new Response(version));
}

/** Forgets pages that are closed, and versions that no page has. `opening` is not listed yet. */
async function tidy(opening) {
  if (registration.installing) return; // its version is not chosen yet
  const open = await clients.matchAll({ type: "all", includeUncontrolled: true });
  const ids = new Set(["newest", opening, ...open.map(({ id }) => id)]);
  const cache = await caches.open(CHOSEN);
  const used = new Set([CHOSEN]);
  for (const request of await cache.keys()) {
    if (!ids.has(request.url.split("/").at(-1))) await cache.delete(request);
    else used.add(await (await cache.match(request)).text());
  }
  for (const name of await caches.keys()) {
    if (name.startsWith(SITE) && !used.has(name)) await caches.delete(name);
  }
}
