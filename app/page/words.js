// The page's words in the language that the person reads.

let words = {};

export const language = () => document.documentElement.lang;

/** The page's language; where no server has chosen it, the first that the browser asks for. */
export function preferred() {
  if (document.documentElement.dataset.answers !== "here") return language();
  const known = [...document.querySelectorAll("[data-lang]")].map((each) => each.dataset.lang);
  const named = new URLSearchParams(location.search).get("lang");
  const wanted = [named, ...navigator.languages].map((each) => each?.slice(0, 2).toLowerCase());
  return wanted.find((each) => known.includes(each)) ?? language();
}

export async function speak(lang) {
  const answer = await fetch(new URL(`words/${lang}.json`, import.meta.url));
  words = await answer.json();
  document.documentElement.lang = lang;
  fill(document);
}

/** The words of `key`, with `{name}` replaced by `values.name`. */
export function word(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const known = (key) => key in words;

/** Writes the words into everything under `root` that names a key. */
export function fill(root) {
  for (const one of root.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  for (const one of root.querySelectorAll("[data-label]")) one.ariaLabel = word(one.dataset.label);
}

export function percent(share) {
  const text = new Intl.NumberFormat(language(), { style: "percent" });
  if (share > 0 && share < 0.01) return `< ${text.format(0.01)}`;
  return share < 1 && share > 0.99 ? `> ${text.format(0.99)}` : text.format(share);
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
