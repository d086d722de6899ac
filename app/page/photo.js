// The photo: where it comes from, how it is shown, and the faces on it.

import { word } from "./words.js";

const SHARP = 1600; // pixels on the longer side: as many as a screen shows
const TYPES = ["image/jpeg", "image/png", "image/webp"];
const stage = document.querySelector(".stage");
const canvas = document.getElementById("photo");
const frame = canvas.parentElement;
const faces = document.getElementById("faces");

/** Calls `take` with each photo that is chosen, dropped or pasted. */
export function listen(take) {
  const file = document.getElementById("file");
  document.getElementById("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files[0]) take(file.files[0]);
    file.value = "";
  });

  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    stage.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) stage.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });

  document.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
    if (pasted) take(pasted);
  });
}

/** The photo as an upright picture. Throws an `Error` with words if the browser cannot read it. */
export async function decode(blob) {
  if (!TYPES.includes(blob.type)) throw new Error(word("photo.unreadable"));
  try {
    return await createImageBitmap(blob);
  } catch {
    throw new Error(word("photo.unreadable"));
  }
}

/** Shows `picture`, from `decode`. On a canvas, as browsers keep what an <img> has decoded: after a
 * hundred photos half a gigabyte. */
export function show(picture) {
  const scale = Math.min(1, SHARP / Math.max(picture.width, picture.height));
  canvas.width = Math.max(1, Math.round(scale * picture.width));
  canvas.height = Math.max(1, Math.round(scale * picture.height));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  frame.hidden = false;
  faces.replaceChildren();
}

/** Marks the faces of `found`, the server's answers; `choose` gets the number of a tapped one. */
export function mark(found, choose) {
  const marks = found.faces.map((face, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "face";
    button.ariaPressed = String(number === found.face);
    button.ariaLabel = word("faces.one", { number: number + 1, count: found.faces.length });
    button.disabled = found.faces.length === 1;
    button.style.left = `${(100 * face.x) / found.width}%`;
    button.style.top = `${(100 * face.y) / found.height}%`;
    button.style.width = `${(100 * face.width) / found.width}%`;
    button.style.height = `${(100 * face.height) / found.height}%`;
    button.addEventListener("click", () => choose(number));
    return button;
  });
  const focused = [...faces.children].indexOf(document.activeElement);
  faces.replaceChildren(...marks);
  marks[focused]?.focus();
}
