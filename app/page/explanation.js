// Where on the face an answer rests: the photo goes dark, and light falls on what counts.

import * as source from "./source.js";
import { number, word } from "./words.js";

const SOON = 2000; // milliseconds: less is not worth a word

/** Makes the card's button "Where it looks" ask about `photo`:
 * {blob, picture, width, height, face, box}. */
export function explain(root, task, photo) {
  const button = root.querySelector(".where");
  const figure = root.querySelector(".explanation");
  const canvas = figure.querySelector("canvas");
  const caption = figure.querySelector("figcaption span");
  const left = figure.querySelector(".left");
  let asked = null;
  open(false);

  function open(opened) {
    figure.hidden = !opened;
    button.ariaExpanded = String(opened);
    button.querySelector("span").textContent = word(opened ? "where.hide" : "where.show");
  }

  button.onclick = async () => {
    open(figure.hidden);
    if (figure.hidden || asked) return;
    caption.textContent = word("where.looking");
    figure.classList.add("looking");
    draw(canvas, photo, { ...around(photo.box), rows: 1, columns: 1, importance: [[0]] });
    try {
      asked = source.explanation(photo.blob, task.task, photo.face, waiting((text) => (left.textContent = text)));
      const found = await asked;
      draw(canvas, photo, found);
      const some = found.importance.flat().some((each) => each > 0);
      caption.textContent = word(some ? "where.about" : "where.nothing");
    } catch (error) {
      asked = null;
      caption.textContent = error.message;
    }
    left.textContent = "";
    figure.classList.remove("looking");
  };
}

/** Hears which share is done; says about how long the rest takes. */
function waiting(say) {
  let began = null;
  return (share) => {
    began ??= { share, at: performance.now() }; // before, the networks came in
    const rest = ((performance.now() - began.at) / (share - began.share)) * (1 - share);
    const known = share - began.share > 0.05;
    if (known) say(rest > SOON ? word("where.left", { seconds: number(Math.ceil(rest / 1000)) }) : "");
  };
}

/** About what the network sees of a face, until its answer tells. */
function around({ x, y, width, height }) {
  const side = 2 * width;
  const box = { x: x + width / 2 - width, y: y + height / 2 - width, width: side, height: side };
  return { box, angle: 0 };
}

/** The square `box` of the photo, turned clockwise by `angle` degrees, with its light and shade. */
function draw(canvas, photo, { rows, columns, box, angle, importance }) {
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  const scale = width / box.width;
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#7f7f7f";
  pen.fillRect(0, 0, width, height);
  pen.save();
  pen.translate(width / 2, height / 2);
  pen.scale(scale, scale);
  pen.rotate((-angle * Math.PI) / 180);
  pen.translate(-box.x - box.width / 2, -box.y - box.height / 2);
  pen.drawImage(photo.picture, 0, 0, photo.width, photo.height);
  pen.restore();
  pen.drawImage(shade(rows, columns, importance), 0, 0, width, height);
}

/** A small picture, darkest where covering changes nothing. Stretching it makes it smooth. */
function shade(rows, columns, importance) {
  const highest = Math.max(...importance.flat(), 0) || Infinity;
  const pixels = new ImageData(columns, rows);
  importance.flat().forEach((each, place) => {
    const light = Math.sqrt(Math.max(each, 0) / highest);
    pixels.data.set([24, 14, 8, 215 * (1 - light)], 4 * place);
  });
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}
