// A card for each task: before the photo what it can tell, after it the answer; always its worth.

import { explain } from "./explanation.js";
import { correct } from "./correction.js";
import { fill, known, number, percent, word } from "./words.js";

const template = document.getElementById("card");
const GATES = {
  "beats chance": "gate.chance",
  calibration: "gate.calibration",
  slices: "gate.slices",
  "not rolled back": "gate.withdrawn",
};
const SVG = "http://www.w3.org/2000/svg";

/** The card of a task of `offer`, /api/tasks, with no answer yet. */
export function card(task, offer) {
  const root = template.content.cloneNode(true).firstElementChild;
  const find = (selector) => root.querySelector(selector);
  fill(root);
  root.dataset.task = task.task;
  find(".task").textContent = task.title;
  find(".task").id = `task-${task.task}`;
  root.setAttribute("aria-labelledby", `task-${task.task}`);
  find(".failed").hidden = task.promoted;
  find(".classes").replaceChildren(...task.classes.map((each) => item(each.title)));
  worth(find, task, offer);
  find(".model-card").href = task.card;
  find(".model-card").ariaLabel = word("card.of", { title: task.title });
  find(".wrong").dataset.possible = offer.inbox;
  return root;
}

function item(text, name = "li") {
  const one = document.createElement(name);
  one.textContent = text;
  return one;
}

function worth(find, task, offer) {
  const { exam, years } = task;
  find(".dots").replaceChildren(...(exam ? dots(exam) : []));
  find(".dots").toggleAttribute("hidden", !exam);
  find(".exam").textContent = exam ? right(exam) : word("worth.none");
  const more = [];
  if (years) more.push(word("worth.years", { error: number(years.error, 1) }));
  if (exam) {
    more.push(word("worth.chance", { chance: Math.round(100 / task.classes.length) }));
    if (!few(exam)) more.push(word("worth.photos", { photos: number(exam.photos) }));
    if (task.drawn && !offer.drawn) more.push(word("worth.drawn")); // else the banner says it
  }
  find(".small").textContent = more.join(" ");
  const why = word("promoted.why", { gates: task.failed.map(reason).join(", ") });
  find(".not-promoted").textContent = task.promoted ? "" : why;
  const own = `honest.${task.task}`;
  find(".honest").textContent = word(known(own) ? own : "honest.other");
}

/** Of so few photos it says how many, instead of how many of 100 it would be. */
export const few = ({ photos }) => photos < 100;

/** How many answers of `exam` were right. */
export const count = ({ right, photos }) => Math.round((right * photos) / 100);

function right(exam) {
  const key = few(exam) ? `worth.few_${exam.people}` : `worth.${exam.people}`;
  return word(key, { ...exam, count: count(exam) });
}

/** Why a gate of promotion (stages/promote/gates.py) stopped a network, in plain words. */
function reason(gate) {
  if (gate.startsWith("keeps up with")) return word("gate.simpler");
  return GATES[gate] ? word(GATES[gate]) : gate;
}

/** A hundred people: those answered rightly, those that the interval leaves open, the others. */
function dots({ right, low, high }) {
  return Array.from({ length: 100 }, (_, place) => {
    const dot = document.createElementNS(SVG, "circle");
    dot.setAttribute("cx", 4 + 8 * Math.floor(place / 2));
    dot.setAttribute("cy", 4 + 8 * (place % 2));
    dot.setAttribute("r", 2.8);
    const sure = place < low ? "sure" : place < right ? "likely" : place < high ? "open" : "miss";
    dot.setAttribute("class", sure);
    return dot;
  });
}

/** Writes `answer`, as in /api/answers, into its card; `photo` is what it is about, `warnings` are
 * those of this answer alone. */
export function write(root, task, answer, warnings, photo) {
  const find = (selector) => root.querySelector(selector);
  const titles = new Map(task.classes.map((each) => [each.label, each.title]));
  const named = answer.label != null;
  root.classList.remove("looking");
  root.classList.toggle("unsure", answer.unsure);
  find(".doubt").hidden = !answer.unsure;
  find(".answer").hidden = false;
  find(".classes").hidden = true;
  find(".title").replaceChildren(...headline(answer, titles.get(answer.label)));
  find(".years").textContent = years(answer);
  find(".bars").replaceChildren(...bars(answer, titles));
  warn(find(".warnings"), warnings);
  find(".where").hidden = !named;
  find(".wrong").hidden = !named || find(".wrong").dataset.possible !== "true";
  explain(root, task, photo);
  correct(root, task, answer, photo);
}

export function warn(list, codes) {
  list.replaceChildren(...codes.map((code) => item(word(`warning.${code}`))));
}

function headline(answer, title) {
  if (title != null) return [answer.unsure ? word("answer.perhaps", { title }) : title];
  const why = item(answer.reason, "span");
  why.className = "reason";
  return [word("answer.none"), why];
}

function years({ value, value_low: low, value_high: high }) {
  if (value == null) return "";
  const about = word("answer.years", { value: number(value) });
  if (low == null) return about;
  const between = { low: number(Math.max(low, 0)), high: number(high) };
  return `${about} (${word("answer.between", between)})`;
}

function bars({ probabilities, label }, titles) {
  const sorted = Object.entries(probabilities).sort(([, one], [, other]) => other - one);
  return sorted.map(([name, share], place) => {
    const line = document.createElement("li");
    line.classList.toggle("best", name === label);
    const bar = item("", "i");
    bar.style.setProperty("--share", share);
    bar.style.setProperty("--place", place);
    line.append(item(titles.get(name), "span"), bar, item(percent(share), "b"));
    return line;
  });
}
