// The answers of chains that run in this browser: what api.js asks a server for.

import { Refused } from "./api.js";
import { language, word } from "./words.js";

let worker = null;
let waiting = new Map(); // id -> how to settle a question
let asked = 0;

function start() {
  worker = new Worker(new URL("chain/worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => settle(data);
  worker.onerror = () => fail("here.none");
}

function settle({ id, done: some, all, found, code, values, broken, said }) {
  const { done, failed, tell } = waiting.get(id) ?? {};
  if (some) {
    tell?.(some / all);
    return;
  }
  waiting.delete(id);
  if (!code) {
    done?.(found);
    return;
  }
  if (broken) console.warn(said);
  failed?.(new Refused(word(code, values)));
  if (broken || code.startsWith("here.")) fail(code); // OpenCV cannot go on after an error
}

/** Ends the worker; the next question starts a new one. */
function fail(code) {
  worker.terminate();
  worker = null;
  for (const { failed } of waiting.values()) failed(new Refused(word(code)));
  waiting = new Map();
}

function call(name, about = [], tell = null) {
  if (!worker) start();
  return new Promise((done, failed) => {
    waiting.set(++asked, { done, failed, tell });
    worker.postMessage({ id: asked, call: name, about });
  });
}

export async function tasks() {
  const answer = await fetch(`tasks/${language()}.json`);
  return answer.json();
}

export async function answers(photo, face, signal) {
  const found = await call("answers", [photo, face]);
  signal?.throwIfAborted();
  for (const answer of found.answers) if (answer.code) answer.reason = word(answer.code);
  return found;
}

/** Settles once the networks are there. */
export const ready = () => call("ready");

/** `tell` hears which share of the work is done. */
export const explanation = (photo, task, face, tell) => call("explanation", [photo, task, face], tell);

start(); // so that the networks are there when a photo comes

navigator.serviceWorker?.register("sw.js").catch(() => {}); // without it the page works while online
