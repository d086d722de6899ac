// The page: a photo goes in, the answers come out. Everything else is in the modules beside.

import * as camera from "./camera.js";
import { card, warn, write } from "./cards.js";
import * as photos from "./photo.js";
import * as share from "./share.js";
import * as source from "./source.js";
import { language, number, preferred, speak, word } from "./words.js";

const main = document.querySelector("main");
const cards = document.getElementById("cards");
const problem = document.getElementById("problem");
const status = document.getElementById("status");
const several = document.getElementById("several");
const warnings = document.getElementById("warnings");

let offer = null; // what source.tasks says
let photo = null; // the photo that is shown: {blob, picture}
let found = null; // what source.answers says about it
let asking = null; // stops the question that is under way

async function start() {
  await speak(preferred());
  markLanguage();
  await loadTasks();
  photos.listen(take);
  camera.listen(take, () => complain(word("camera.blocked")));
  document.getElementById("use-camera").hidden = !camera.possible();
  share.listen(() => ({ offer, found, photo }));
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.addEventListener("click", () => change(button.dataset.lang));
  }
}

async function loadTasks() {
  offer = await source.tasks();
  lay();
}

/** New cards, without answers. */
function lay() {
  document.getElementById("drawn").hidden = !offer.drawn;
  cards.replaceChildren(...offer.tasks.map((task) => card(task, offer)));
}

async function change(lang) {
  await speak(lang);
  markLanguage();
  history.replaceState(null, "", `?lang=${lang}`);
  document.querySelector(".brand").href = `?lang=${lang}`;
  problem.hidden = true;
  await loadTasks();
  if (found) show();
}

function markLanguage() {
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.ariaPressed = String(button.dataset.lang === language());
  }
}

async function take(blob) {
  problem.hidden = true;
  try {
    if (blob.size > offer.max_bytes) throw new Error(tooLarge(blob.size));
    const picture = await photos.decode(blob);
    photo?.picture.close();
    photo = { blob, picture };
  } catch (error) {
    complain(error.message);
    return;
  }
  found = null;
  several.hidden = true;
  warn(warnings, []);
  headline("answers.before");
  photos.show(photo.picture);
  main.dataset.state = "looking";
  document.querySelector(".stage").scrollIntoView({ block: "nearest" });
  lay();
  await ask();
}

function tooLarge(bytes) {
  const megabytes = (count) => number(count / 2 ** 20, 1);
  return word("photo.too_large", {
    size: megabytes(bytes),
    limit: megabytes(offer.max_bytes),
  });
}

/** Asks about the face with this number, or about the one that the chain chooses. */
async function ask(face) {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  status.textContent = word("status.looking");
  main.dataset.state = "looking";
  for (const each of cards.children) each.classList.add("looking");
  try {
    await networks();
    const answers = await source.answers(photo.blob, face, signal);
    await loadTasks(); // after the answers: they may be those of a new champion
    if (signal.aborted) return;
    found = answers;
    show();
  } catch (error) {
    if (signal.aborted) return;
    main.dataset.state = "failed";
    complain(error.message);
  }
  for (const each of cards.children) each.classList.remove("looking");
}

/** Until they are there; if that takes a while, the page says so. */
async function networks() {
  const late = setTimeout(() => {
    several.textContent = word("here.loading");
    several.hidden = false;
  }, 500);
  await source.ready().finally(() => clearTimeout(late));
  several.hidden = true;
}

function show() {
  photos.mark(found, ask);
  const count = found.faces.length;
  several.hidden = count < 2;
  several.textContent = word("faces.several", { count });
  const answered = found.answers.some((answer) => answer.label != null);
  main.dataset.state = answered ? "answers" : "failed";
  if (!count) {
    complain(word("faces.none"));
    return;
  }
  headline("answers.title");
  const { width, height, face } = found;
  const about = { ...photo, width, height, face, box: found.faces[face] };
  const shared = found.answers[0].warnings.filter((code) =>
    found.answers.every((answer) => answer.warnings.includes(code)),
  );
  warn(warnings, shared.filter((code) => code !== "several")); // the faces are marked
  for (const answer of found.answers) {
    const task = offer.tasks.find((each) => each.task === answer.task);
    const own = answer.warnings.filter((code) => !shared.includes(code));
    write(cards.querySelector(`[data-task="${CSS.escape(task.task)}"]`), task, answer, own, about);
  }
  status.textContent = word("status.ready");
}

function headline(key) {
  const title = document.getElementById("answers-title");
  title.dataset.word = key;
  title.textContent = word(key);
}

function complain(words) {
  status.textContent = "";
  problem.textContent = words;
  problem.hidden = false;
}

start().catch((error) => complain(error.message));
