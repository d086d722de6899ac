// The page's words in the language that the person reads.

let words = {};

export const language = () => document.documentElement.lang;

export async function speak(lang) {
  const answer = await fetch(`/static/words/${lang}.json`);
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
  for (const one of root.querySelectorAll("[data-alt]")) one.alt = word(one.dataset.alt);
}

export function percent(share) {
  const text = new Intl.NumberFormat(language(), { style: "percent" });
  if (share > 0 && share < 0.01) return `< ${text.format(0.01)}`;
  return share < 1 && share > 0.99 ? `> ${text.format(0.99)}` : text.format(share);
}

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
