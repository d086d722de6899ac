// OpenCV in the browser: the functions that the pipeline calls, with memory that must be freed.

import load from "../../runtime/opencv.js";

let cv;

/** Loads it, once. */
export async function start() {
  const file = fetch(new URL("../../runtime/opencv.wasm", import.meta.url));
  const program = await WebAssembly.compileStreaming(file);
  cv = await load({
    instantiateWasm: (imports, done) => {
      WebAssembly.instantiate(program, imports).then(done);
    },
    print: () => {}, // it tells which kernels it has
    printErr: () => {},
  });
  return cv;
}

/** What `work(own)` returns; each matrix that was given to `own` is freed afterwards. */
export function freeing(work) {
  const mats = [];
  const own = (mat) => {
    mats.push(mat);
    return mat;
  };
  try {
    return work(own);
  } finally {
    for (const mat of mats) mat.delete();
  }
}

/** A new matrix, filled by `work(mat)`. */
export function made(work) {
  const mat = new cv.Mat();
  work(mat);
  return mat;
}

/** With pixels of its own; `clone` shares them. */
export const copied = (mat) => made((out) => mat.copyTo(out));

/** `numbers` as a matrix of this type. */
export function matrix(rows, columns, type, numbers) {
  const mat = new cv.Mat(rows, columns, type);
  const view = { [cv.CV_8U]: mat.data, [cv.CV_32F]: mat.data32F, [cv.CV_64F]: mat.data64F };
  view[type & 7].set(numbers);
  return mat;
}

/** A picture as plain numbers, which may go to another worker. */
export const numbers = (mat) =>
  ({ rows: mat.rows, columns: mat.cols, type: mat.type(), data: mat.data.slice() });

/** A picture of such numbers. */
export function ofNumbers({ rows, columns, type, data }) {
  const mat = new cv.Mat(rows, columns, type);
  mat.data.set(data);
  return mat;
}

export const resized = (mat, width, height, method) =>
  made((out) => cv.resize(mat, out, new cv.Size(width, height), 0, 0, method));

export const coloured = (mat, code) => made((out) => cv.cvtColor(mat, out, code));

export const blurred = (mat, sigma) =>
  made((out) => cv.GaussianBlur(mat, out, new cv.Size(0, 0), sigma));

/** (1, channels, rows, columns) `float32`, as networks take a picture. */
export const blob = (picture, factor = 1) =>
  cv.blobFromImage(
    picture, factor, new cv.Size(picture.cols, picture.rows), new cv.Scalar(0, 0, 0, 0), false, false,
  );

/** As Python rounds: a half goes to the even neighbour. */
export function even(number) {
  const near = Math.round(number);
  return Math.abs(number % 1) === 0.5 && near % 2 ? near - 1 : near;
}
