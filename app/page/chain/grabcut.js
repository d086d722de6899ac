// Background removal without weights: stages/matte/grabcut.py says how and why, step by step.

import { eyes } from "./faces.js";
import { blurred, freeing, matrix, resized } from "./opencv.js";
import { lab } from "./quality.js";

const SIDE = 96;
const ROUNDS = 4;
const BINS = [16, 28, 28];
const CELLS = BINS[0] * BINS[1] * BINS[2];
const SURE = 0.95;
const SCALE = [25, 15, 15];
const WEIGHTS = [0.11, -0.174, 0.241, 0.805, -0.226, 0.25, 0.179, 0.232, -0.211];
const CONSTANT = 0.257;

const sigmoid = (odds) => 1 / (1 + Math.exp(-odds));
const clip = (number, low, high) => Math.min(Math.max(number, low), high);
/** A number for each pixel, from its x and y as shares of the side. */
const grid = (number) =>
  Float64Array.from({ length: SIDE * SIDE }, (_, place) =>
    number(((place % SIDE) + 0.5) / SIDE, (Math.floor(place / SIDE) + 0.5) / SIDE),
  );

export class GrabCut {
  constructor(cv, geometry) {
    this.cv = cv;
    this.prior = prior(eyes(geometry).map((eye) => eye.map((each) => each / geometry.size)));
  }

  /** RGB -> alpha, both `uint8`. */
  predict(image) {
    const { cv } = this;
    return freeing((own) => {
      const small = own(resized(image, SIDE, SIDE, cv.INTER_AREA));
      const columns = this.evidence(small);
      const person = this.prior.map((_, place) =>
        sigmoid(WEIGHTS.reduce((sum, weight, at) => sum + weight * columns[at][place], CONSTANT)),
      );
      const mask = own(this.findEdge(small, person));
      const alpha = own(blurred(mask, 0.7));
      return resized(alpha, image.cols, image.rows, cv.INTER_CUBIC);
    });
  }

  /** 255 where GrabCut sees a person. */
  findEdge(small, person) {
    const { cv } = this;
    const marks = this.blur(person, 1).map((share) => {
      if (share > SURE) return cv.GC_FGD;
      if (share < 1 - SURE) return cv.GC_BGD;
      return share > 0.5 ? cv.GC_PR_FGD : cv.GC_PR_BGD;
    });
    const mask = matrix(SIDE, SIDE, cv.CV_8U, marks);
    if (new Set(marks.map((mark) => mark % 2)).size === 2) {
      cv.setRNGSeed(0); // its k-means starts from OpenCV's own random numbers
      freeing((own) => {
        const [back, front] = [own(new cv.Mat()), own(new cv.Mat())];
        const all = new cv.Rect(0, 0, 0, 0);
        cv.grabCut(small, mask, all, back, front, 2, cv.GC_INIT_WITH_MASK);
      });
    }
    mask.data.set(mask.data.map((mark) => 255 * (mark % 2)));
    return mask;
  }

  blur(numbers, sigma) {
    return freeing((own) => {
      const mat = own(matrix(SIDE, SIDE, this.cv.CV_64F, numbers));
      return own(blurred(mat, sigma)).data64F.slice();
    });
  }

  evidence(small) {
    const colours = freeing((own) => own(lab(this.cv, small)).data32F.slice());
    const ratio = this.colourRatio(colours);
    const left = grid((x, y) => Number(x < 0.08 && y < 0.6));
    const right = grid((x, y) => Number(x > 0.92 && y < 0.6));
    const skin = grid((x, y) => Math.exp(-(((x - 0.5) / 0.12) ** 2) - ((y - 0.56) / 0.1) ** 2));
    const top = grid((_, y) => Number(y < 0.06));
    const clothes = grid((x, y) => Number(y > 0.92 && Math.abs(x - 0.5) < 0.25));
    const [ofSkin, ofLeft, ofRight, ofTop, ofClothes] = [skin, left, right, top, clothes].map(
      (where) => distance(colours, where),
    );
    const onLeft = grid((x) => Number(x < 0.5));
    const near = onLeft.map((yes, at) => (yes ? ofLeft : ofRight)[at]);
    const far = onLeft.map((yes, at) => (yes ? ofRight : ofLeft)[at]);
    const around = [2, 6].map((sigma) => this.blur(ratio, sigma));
    return [logOdds(this.prior), ratio, ...around, ofSkin, near, far, ofTop, ofClothes];
  }

  /** Log of how much more often a colour is on the person than elsewhere. */
  colourRatio(colours) {
    const bin = (at, axis) => {
      const share = colours[at + axis] / [100, 214, 214][axis] + (axis ? 0.5 : 0);
      return clip(Math.trunc(share * BINS[axis]), 0, BINS[axis] - 1);
    };
    const index = Int32Array.from({ length: SIDE * SIDE }, (_, place) =>
      (bin(3 * place, 0) * BINS[1] + bin(3 * place, 1)) * BINS[2] + bin(3 * place, 2),
    );
    const odds = logOdds(this.prior);
    const ratioOf = (person) => {
      const on = histogram(index, person);
      const elsewhere = histogram(index, person.map((share) => 1 - share));
      return Float64Array.from(index, (cell) => Math.log(on[cell] / elsewhere[cell]));
    };
    let person = this.prior;
    for (let round = 0; round < ROUNDS; round++) {
      const ratio = ratioOf(person);
      person = this.blur(odds.map((each, at) => sigmoid(each + ratio[at])), 1);
      person = person.map((share) => clip(share, 0.01, 0.99));
    }
    return ratioOf(person);
  }
}

const logOdds = (shares) => shares.map((share) => Math.log(share / (1 - share)));

/** The probability that a place of a crop shows the person; `eyes`: shares of the crop's side. */
function prior([left, right]) {
  const apart = Math.hypot(right[0] - left[0], right[1] - left[1]);
  const middle = [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2];
  return grid((x, y) => {
    const u = Math.abs(x - middle[0]) / apart;
    const v = (y - middle[1]) / apart;
    const head = 8.16 * (1 - Math.hypot(u / 1.4, (v + 0.213) / 1.837));
    const shoulders = 0.601 * (v + 3.11 - 2.515 * u);
    return clip(sigmoid(Math.log(Math.exp(head) + Math.exp(shoulders))), 0.01, 0.99);
  });
}

/** How many standard deviations each colour is from the mean of a place. */
function distance(colours, where) {
  const total = where.reduce((sum, each) => sum + each, 0);
  const scaled = (at, axis) => colours[3 * at + axis] / SCALE[axis];
  const weighed = (number) =>
    where.reduce((sum, weight, at) => sum + (weight / total) * number(at), 0);
  const axes = [0, 1, 2].map((axis) => {
    const mean = weighed((at) => scaled(at, axis));
    return { mean, variance: weighed((at) => (scaled(at, axis) - mean) ** 2) + 0.05 };
  });
  return where.map((_, at) => {
    const square = axes.reduce(
      (sum, { mean, variance }, axis) => sum + (scaled(at, axis) - mean) ** 2 / variance, 0,
    );
    return clip(Math.sqrt(square), 0, 8);
  });
}

/** Frequencies of the colours, spread a little to their neighbours; none is zero. */
function histogram(index, weight) {
  let counts = new Float64Array(CELLS);
  index.forEach((cell, at) => (counts[cell] += weight[at]));
  [BINS[1] * BINS[2], BINS[2], 1].forEach((step, axis) => {
    const length = BINS[axis];
    counts = counts.map((each, cell) => {
      const place = Math.floor(cell / step) % length;
      const start = cell - place * step;
      const before = counts[start + ((place + length - 1) % length) * step];
      const after = counts[start + ((place + 1) % length) * step];
      return (before + 2 * each + after) / 4;
    });
  });
  const total = counts.reduce((sum, each) => sum + each, 0);
  return counts.map((each) => each / total + 0.2 / CELLS);
}
