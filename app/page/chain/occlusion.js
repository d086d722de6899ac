// What an answer rests on, as stages/evaluate/occlusion.py finds it: one patch after the other is
// covered with the blurred picture.

import { blurred, copied, even } from "./opencv.js";

const CELLS = 8;
const PATCH = 2;
const LEAST = 2 ** -23;

/** 8 x 8 shares of the picture; `raw(mat)` is the network's first output. */
export async function occlusion(cv, picture, raw, kind, pause) {
  const size = picture.rows;
  const depth = picture.channels();
  const edges = Array.from({ length: CELLS + 1 }, (_, at) => even((at * size) / CELLS));
  const falls = new Float64Array(size * size);
  const covers = new Float64Array(size * size);
  const cover = blurred(picture, size / 6);
  const covered = copied(picture);
  const whole = raw(picture);
  try {
    for (let top = 1 - PATCH; top < CELLS; top++) {
      for (let left = 1 - PATCH; left < CELLS; left++) {
        await pause();
        const inside = [];
        for (let y = edges[Math.max(top, 0)]; y < edges[Math.min(top + PATCH, CELLS)]; y++) {
          for (let x = edges[Math.max(left, 0)]; x < edges[Math.min(left + PATCH, CELLS)]; x++) {
            inside.push(y * size + x);
          }
        }
        covered.data.set(picture.data);
        for (const at of inside) {
          covered.data.set(cover.data.subarray(at * depth, (at + 1) * depth), at * depth);
        }
        const fallen = fall(whole, raw(covered), kind);
        for (const at of inside) {
          falls[at] += fallen;
          covers[at] += 1;
        }
      }
    }
  } finally {
    cover.delete();
    covered.delete();
  }
  return shares(falls.map((each, at) => each / covers[at]), size, edges);
}

/** How much covering weakens the answer. */
function fall(whole, covered, kind) {
  if (kind === "regression") return Math.abs(covered[0] - whole[0]);
  const two = (raw) => (raw.length === 1 ? [1 - raw[0], raw[0]] : [...raw]);
  const best = two(whole).indexOf(Math.max(...two(whole)));
  const odds = (raw) => {
    const others = two(raw).reduce((sum, each, at) => sum + (at === best ? 0 : each), 0);
    return Math.log(Math.max(two(raw)[best], LEAST)) - Math.log(Math.max(others, LEAST));
  };
  return Math.max(odds(whole) - odds(covered), 0);
}

/** The mean of each cell, so that all sum to 1, or to 0 where no patch matters. */
function shares(map, size, edges) {
  const cells = Array.from({ length: CELLS }, (_, row) =>
    Array.from({ length: CELLS }, (_, column) => {
      let sum = 0;
      for (let y = edges[row]; y < edges[row + 1]; y++) {
        for (let x = edges[column]; x < edges[column + 1]; x++) sum += map[y * size + x];
      }
      return sum / ((edges[row + 1] - edges[row]) * (edges[column + 1] - edges[column]));
    }),
  );
  const total = cells.flat().reduce((sum, each) => sum + each, 0) || 1;
  return cells.map((row) => row.map((each) => each / total));
}
