// Answers photos, away from the page, so that it stays responsive.

import { Chains, Refused } from "./chain.js";
import { start } from "./opencv.js";
import { spread } from "./spread.js";

const SITE = new URL("../../", import.meta.url);
const MIN_SIDE = 16; // pixels
const STRIP = 20; // times as long as wide

const settings = fetch(new URL("chains.json", SITE)).then((answer) => answer.json());
const loading = load();
loading.catch(() => {}); // who asks is told

async function load() {
  try {
    const { files, tasks } = await settings;
    const names = Object.keys(files);
    const coming = names.map((name) => whole(new URL(`models/${name}`, SITE), files[name]));
    const [cv, ...contents] = await Promise.all([start(), ...coming]);
    names.forEach((name, at) => cv.FS_createDataFile("/", name, contents[at], true, false, true));
    return new Chains(cv, tasks);
  } catch (error) {
    throw error instanceof Refused ? error : new Refused("here.none");
  }
}

/** A file's bytes. Throws `Refused` if it is not the one that was published. */
async function whole(url, sha256) {
  const bytes = (await exact(url, sha256, "default")) ?? (await again(url, sha256));
  if (!bytes) throw new Refused("here.broken", { file: url.pathname.split("/").at(-1) });
  return bytes;
}

/** What came in damaged must not stay in the page's own store, nor in the browser's. */
async function again(url, sha256) {
  if (!globalThis.caches) return exact(url, sha256, "reload"); // they are not where the page comes by http:
  for (const name of await caches.keys()) await (await caches.open(name)).delete(url);
  return exact(url, sha256, "reload");
}

async function exact(url, sha256, cache) {
  const answer = await fetch(url, { cache });
  const bytes = await answer.arrayBuffer();
  const digest = await crypto.subtle?.digest("SHA-256", bytes); // as caches
  const digits = [...new Uint8Array(digest ?? [])].map((each) => each.toString(16).padStart(2, "0"));
  const right = answer.ok && (!digest || digits.join("") === sha256);
  return right ? new Uint8Array(bytes) : null;
}

/** The photo's pixels, upright, on white. */
async function decoded(photo) {
  const { max_megapixels: megapixels } = await settings;
  let picture;
  try {
    picture = await createImageBitmap(photo);
  } catch {
    throw new Refused("error.damaged");
  }
  const { width, height } = picture;
  try {
    if (width * height > megapixels * 1e6) throw new Refused("error.too_many_pixels", { megapixels });
    if (Math.min(width, height) < MIN_SIDE) throw new Refused("error.too_small", { pixels: MIN_SIDE });
    if (Math.max(width, height) > STRIP * Math.min(width, height)) throw new Refused("error.too_narrow", { times: STRIP });
    const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    pen.fillStyle = "white";
    pen.fillRect(0, 0, width, height);
    pen.drawImage(picture, 0, 0);
    return pen.getImageData(0, 0, width, height);
  } finally {
    picture.close();
  }
}

let stop = new AbortController(); // of explanations
let explaining = Promise.resolve(); // one at a time: each takes all cores

const calls = {
  ready: () => loading.then(() => null),
  answers,
  explanation,
  raw: async (tell, task, picture) => (await loading).raw(task, picture),
};

async function answers(tell, photo, face) {
  stop.abort(new Refused("error.odd_photo")); // their cards go
  stop = new AbortController();
  return (await loading).answers(await decoded(photo), face);
}

function explanation(tell, photo, task, face) {
  const { signal } = stop;
  const explain = async () => {
    const chains = await loading;
    const run = (picture) => chains.raw(task, picture);
    const said = (pictures) => spread(pictures, run, task, tell, signal);
    return chains.explanation(await decoded(photo), task, face, said);
  };
  explaining = explaining.then(explain, explain);
  return explaining;
}

onmessage = async ({ data: { id, call, about } }) => {
  const tell = (done, all) => postMessage({ id, done, all });
  try {
    postMessage({ id, found: await calls[call](tell, ...about) });
  } catch (error) {
    const { code, values } = error instanceof Refused ? error : { code: "error.odd_photo", values: {} };
    postMessage({ id, code, values, broken: !(error instanceof Refused), said: error.stack });
  }
};
