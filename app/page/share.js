// The share card: 1080 x 1350 pixels, drawn on the person's device.

import { count, few } from "./cards.js";
import { number, percent, word } from "./words.js";

const WIDTH = 1080;
const HEIGHT = 1350;
const EDGE = 72;
const PAPER = "#f8f1e5";
const INK = "#2b211b";
const SOFT = "#6b5d52";
const FRAME = "#b8431f";
const OVAL = { x: 856, y: 232, rx: 136, ry: 172 };

const dialog = document.getElementById("share");
const canvas = dialog.querySelector("canvas");
const withPhoto = document.getElementById("share-photo");
const send = document.getElementById("share-send");
const save = document.getElementById("share-save");

/** `now` tells what is on the page: {offer, found, photo}. */
export function listen(now) {
  const redraw = async () => {
    await draw(now());
    const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const file = new File([picture], `${word("share.file")}.png`, { type: "image/png" });
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(file);
    save.download = file.name;
    send.hidden = !navigator.canShare?.({ files: [file] });
    // Only the person can fail a share, by closing the system's dialog.
    send.onclick = () => navigator.share({ files: [file] }).catch(() => {});
  };
  document.getElementById("share-card").addEventListener("click", async () => {
    withPhoto.checked = false;
    await redraw();
    dialog.showModal();
  });
  withPhoto.addEventListener("change", redraw);
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
}

async function draw({ offer, found, photo }) {
  const pen = canvas.getContext("2d");
  await Promise.all([400, 600, 800].map((weight) => document.fonts.load(`${weight} 20px Mirror`, allWords())));
  pen.reset();
  pen.fillStyle = PAPER;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  head(pen, withPhoto.checked ? { ...photo, found } : null);
  const answers = found.answers.filter((each) => each.label != null);
  const top = 456;
  const step = (1240 - top) / answers.length;
  answers.forEach((answer, place) => {
    const task = offer.tasks.find((each) => each.task === answer.task);
    row(pen, task, answer, top + place * step, step);
  });
  const foot = offer.drawn ? word("share.drawn") : word("share.foot");
  text(pen, foot, EDGE, 1290, { size: 28, weight: 600, colour: offer.drawn ? FRAME : SOFT });
  const spoken = answers.map((answer) => title(offer, answer)).join(", ");
  canvas.ariaLabel = word("share.alt", { answers: spoken });
}

const allWords = () => document.body.textContent.replace(/\s+/g, "");

function title(offer, answer) {
  const task = offer.tasks.find((each) => each.task === answer.task);
  return task.classes.find((each) => each.label === answer.label).title;
}

function head(pen, shown) {
  mirror(pen, shown);
  stroke(pen, ".brand path", { x: EDGE, y: 88, scale: 1.5, colour: FRAME, width: 2.8 });
  oval(pen, { x: EDGE + 21, y: 110, rx: 17, ry: 20 }, { stroke: FRAME, width: 4.2 });
  text(pen, word("name"), EDGE + 58, 122, { size: 34, weight: 600 });
  lines(pen, word("hero.title"), 560, 76).forEach((line, place) => {
    text(pen, line, EDGE, 236 + 88 * place, { size: 76, weight: 800 });
  });
}

/** The oval at the top right: with the chosen face, or with the page's drawing. */
function mirror(pen, shown) {
  oval(pen, { ...OVAL, rx: OVAL.rx + 16, ry: OVAL.ry + 16 }, { fill: FRAME });
  oval(pen, OVAL, { fill: "#fffaf1" });
  pen.save();
  pen.beginPath();
  pen.ellipse(OVAL.x, OVAL.y, OVAL.rx, OVAL.ry, 0, 0, 2 * Math.PI);
  pen.clip();
  if (shown) {
    const { found, picture } = shown;
    const face = found.faces[found.face];
    const scale = picture.width / found.width;
    const height = 1.6 * Math.max(face.height, face.width * (OVAL.ry / OVAL.rx)) * scale;
    const width = height * (OVAL.rx / OVAL.ry);
    const x = (face.x + face.width / 2) * scale - width / 2;
    const y = (face.y + 0.46 * face.height) * scale - height / 2;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(
      picture, x, y, width, height,
      OVAL.x - OVAL.rx, OVAL.y - OVAL.ry, 2 * OVAL.rx, 2 * OVAL.ry,
    );
  } else {
    const scale = OVAL.ry / 164;
    const corner = { x: OVAL.x - 150 * scale, y: OVAL.y - 190 * scale };
    stroke(pen, ".drawing path", { ...corner, scale, colour: INK, width: 3.4 });
  }
  pen.restore();
}

/** The page's own drawing, at another place and size. */
function stroke(pen, selector, { x, y, scale, colour, width }) {
  pen.save();
  pen.translate(x, y);
  pen.scale(scale, scale);
  Object.assign(pen, { strokeStyle: colour, lineWidth: width, lineCap: "round", lineJoin: "round" });
  for (const path of document.querySelectorAll(selector)) {
    pen.stroke(new Path2D(path.getAttribute("d")));
  }
  pen.restore();
}

function row(pen, task, answer, top, step) {
  const card = document.querySelector(`[data-task="${CSS.escape(task.task)}"]`);
  const colour = getComputedStyle(card).getPropertyValue("--print");
  const big = Math.min(58, step * 0.3);
  pen.fillStyle = "#e2d5c1";
  pen.fillRect(EDGE, top - 6, WIDTH - 2 * EDGE, 2);
  const small = { size: 26, weight: 600, colour: SOFT };
  text(pen, task.title, EDGE, top + 36, small);
  const doubt = task.promoted ? answer.unsure && "answer.unsure" : "promoted.not";
  if (doubt) text(pen, word(doubt), WIDTH - EDGE, top + 36, { ...small, right: true });
  const base = top + 46 + big;
  const share = text(pen, percent(answer.confidence), WIDTH - EDGE, base, { size: big * 0.75, weight: 600, right: true });
  let label = task.classes.find((each) => each.label === answer.label).title;
  if (answer.value != null) label += ` · ${word("answer.years", { value: number(answer.value) })}`;
  text(pen, label, EDGE, base, { size: big, weight: 800, colour, room: WIDTH - 2 * EDGE - share - 40 });
  if (!task.exam) return;
  strip(pen, task.exam, base + 28, colour);
  const whole = task.exam.people === "new" ? "share.worth" : "share.worth_photos";
  const worth = few(task.exam) ? "share.worth_few" : whole;
  text(pen, word(worth, { ...task.exam, count: count(task.exam) }), EDGE, base + 68, { size: 24, weight: 400, colour: SOFT });
}

/** A dot for each of a hundred people; the filled ones are those answered rightly. */
function strip(pen, { right }, y, colour) {
  const step = (WIDTH - 2 * EDGE) / 100;
  for (let place = 0; place < 100; place++) {
    const at = { x: EDGE + (place + 0.5) * step, y, rx: 3.4, ry: 3.4 };
    oval(pen, at, { fill: place < right ? colour : "#ddcfba" });
  }
}

function oval(pen, { x, y, rx, ry }, { fill, stroke, width }) {
  pen.beginPath();
  pen.ellipse(x, y, rx, ry, 0, 0, 2 * Math.PI);
  if (fill) Object.assign(pen, { fillStyle: fill }).fill();
  if (stroke) Object.assign(pen, { strokeStyle: stroke, lineWidth: width }).stroke();
}

/** Writes one line, smaller where it would not fit into `room`. Returns its width. */
function text(pen, words, x, y, { size, weight, colour = INK, right = false, room = WIDTH - 2 * EDGE }) {
  const font = (pixels) => `${weight} ${pixels}px Mirror, sans-serif`;
  pen.font = font(size);
  pen.font = font(size * Math.min(1, room / pen.measureText(words).width));
  pen.fillStyle = colour;
  pen.textAlign = right ? "right" : "left";
  pen.fillText(words, x, y);
  return pen.measureText(words).width;
}

/** `words` broken into lines of at most `room` pixels, as the language breaks them. */
function lines(pen, words, room, size) {
  pen.font = `800 ${size}px Mirror, sans-serif`;
  const parts = [...new Intl.Segmenter(document.documentElement.lang, { granularity: "word" }).segment(words)];
  const broken = [""];
  for (const { segment } of parts) {
    const longer = broken.at(-1) + segment;
    if (pen.measureText(longer.trim()).width <= room || !/[\p{L}\p{N}]/u.test(segment)) broken.splice(-1, 1, longer);
    else broken.push(segment);
  }
  return broken.map((line) => line.trim());
}
