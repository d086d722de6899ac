// What the page asks its own server.

import { language, word } from "./words.js";

/** An answer that the server refused, with its reason in the page's language. */
export class Refused extends Error {}

async function call(path, options = {}, query = {}) {
  const parts = Object.entries({ lang: language(), ...query }).filter(([, value]) => value != null);
  let answer;
  try {
    answer = await fetch(`${path}?${new URLSearchParams(parts)}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(word("status.offline"));
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(found.reason ?? `${answer.status} ${answer.statusText}`);
  return found;
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return { method: "POST", body: data };
}

/** A server listens once its networks are there. */
export const ready = async () => {};

export const tasks = () => call("/api/tasks");

export const answers = (photo, face, signal) =>
  call("/api/answers", { ...form({ photo }), signal }, { face });

export const explanation = (photo, task, face) =>
  call("/api/explanation", form({ photo }), { task, face });

export const wrong = (photo, task, right, face) =>
  call("/api/wrong", form({ photo, task, ...right }), { face });
