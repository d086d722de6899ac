// What an answer rests on, as stages/evaluate/occlusion.py finds it: one patch after the other is
// covered with the blurred picture.

import { blurred, even, freeing, ofNumbers } from "./opencv.js";

const CELLS = 8;
const PATCH = 2;
const LEAST = 2 ** -23;

/** 8 x 8 shares of the picture, which is plain numbers. `said(pictures)` is a promise of the network's
 * first output to each of them; outside of `window` it sees nothing. */
export async function occlusion(picture, said, kind, window) {
  const size = picture.rows;
  const edges = Array.from({ length: CELLS + 1 }, (_, at) => even((at * size) / CELLS));
  const places = patches(size, edges);
  const cover = freeing((own) => own(blurred(own(ofNumbers(picture)), size / 6)).data.slice());
  const seen = places.filter((inside) => inside.some((at) => isIn(window, at % size, Math.floor(at / size))));
  const covered = seen.map((inside) => hidden(picture, cover, inside));
  const [whole, ...others] = await said([picture, ...covered]);
  const answers = new Map(seen.map((inside, place) => [inside, others[place]]));
  const falls = new Float64Array(size * size);
  const covers = new Float64Array(size * size);
  for (const inside of places) {
    const fallen = fall(whole, answers.get(inside) ?? whole, kind);
    for (const at of inside) {
      falls[at] += fallen;
      covers[at] += 1;
    }
  }
  return shares(falls.map((each, at) => each / covers[at]), size, edges);
}

const isIn = (window, x, y) =>
  !window || (x >= window.left && x <= window.right && y >= window.top && y <= window.bottom);

/** The pixels of each patch. They overlap, and together cover all pixels. */
function patches(size, edges) {
  const found = [];
  for (let top = 1 - PATCH; top < CELLS; top++) {
    for (let left = 1 - PATCH; left < CELLS; left++) {
      const inside = [];
      for (let y = edges[Math.max(top, 0)]; y < edges[Math.min(top + PATCH, CELLS)]; y++) {
        for (let x = edges[Math.max(left, 0)]; x < edges[Math.min(left + PATCH, CELLS)]; x++) {
          inside.push(y * size + x);
        }
      }
      found.push(inside);
    }
  }
  return found;
}

/** `picture` with the pixels `inside` as in `cover`. */
function hidden(picture, cover, inside) {
  const data = picture.data.slice();
  const depth = data.length / picture.rows ** 2;
  for (const at of inside) data.set(cover.subarray(at * depth, (at + 1) * depth), at * depth);
  return { ...picture, data };
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
