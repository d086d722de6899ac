// What may be wrong with a face or its cut-out, as stages/extract/quality.py and stages/matte say it.

import { eyes, transform } from "./faces.js";
import { coloured, copied, even, freeing, made, resized } from "./opencv.js";

const SKIN = [12, 16];
const SIDE = 96;

/** The names of what is wrong with a face; `square`: its RGB crop, `count`: faces on the photo. */
export function faceFlags(cv, square, face, count, { geometry, quality }) {
  const rounded = (number, digits) => Number(number.toFixed(digits));
  const { landmarks: [left, right] } = face;
  const tilt = (Math.atan2(right[1] - left[1], right[0] - left[0]) * 180) / Math.PI;
  const { tint, colours, lightness } = colour(cv, square, geometry);
  const wrong = {
    blur: rounded(sharpness(cv, square, geometry), 2) < quality.sharpness,
    tiny: rounded(face.box[2], 1) < quality.width,
    pose: Math.abs(rounded(tilt, 1)) > quality.tilt || rounded(turn(face, geometry), 3) > quality.turn,
    tint: rounded(tint, 2) > quality.tint,
    monochrome: rounded(colours, 2) < quality.colours,
    dark: rounded(lightness, 1) < quality.dark,
    bright: rounded(lightness, 1) > quality.bright,
    several: count > quality.faces,
  };
  return Object.keys(wrong).filter((name) => wrong[name]);
}

/** The person's share of a cut-out. */
export const coverage = (alpha) =>
  Number((alpha.reduce((sum, each) => sum + each, 0) / alpha.length / 255).toFixed(4));

export function cutoutFlags(share, { small, large }) {
  if (share < small) return ["small"];
  return share > large ? ["large"] : [];
}

function sharpness(cv, square, geometry) {
  return freeing((own) => {
    const grey = own(coloured(own(faceArea(cv, square, geometry)), cv.COLOR_RGB2GRAY));
    const small = own(resized(grey, SIDE, SIDE, cv.INTER_AREA));
    const edges = own(made((out) => cv.Laplacian(small, out, cv.CV_32F)));
    return variance(edges.data32F);
  });
}

function turn(face, geometry) {
  const warp = transform(face, geometry);
  const level = face.landmarks.slice(0, 3).map(([x, y]) =>
    warp.map(([a, b, shift]) => a * x + b * y + shift),
  );
  const apart = Math.max(Math.hypot(level[1][0] - level[0][0], level[1][1] - level[0][1]), 1e-6);
  return Math.abs(level[2][0] - (level[0][0] + level[1][0]) / 2) / apart;
}

function colour(cv, square, { face_width }) {
  return freeing((own) => {
    const small = own(resized(square, SIDE, SIDE, cv.INTER_AREA));
    const whole = own(lab(cv, small));
    const inner = own(faceArea(cv, whole, { size: SIDE, face_width }));
    const channel = (at) => inner.data32F.filter((_, place) => place % 3 === at);
    const [light, red, yellow] = [0, 1, 2].map(channel);
    const away = [average(red) - SKIN[0], average(yellow) - SKIN[1]];
    const more = red.length / (red.length - 1);
    const [a, d] = [variance(red) * more, variance(yellow) * more];
    const b = covariance(red, yellow) * more;
    const smallest = (a + d) / 2 - Math.sqrt(((a - d) / 2) ** 2 + b * b);
    const rising = light.toSorted();
    const half = rising.length / 2;
    return {
      tint: Math.hypot(...away),
      colours: Math.sqrt(Math.max(smallest, 0)),
      lightness: (rising[Math.ceil(half) - 1] + rising[Math.floor(half)]) / 2,
    };
  });
}

/** CIE Lab, `float32`, of an RGB picture. */
export function lab(cv, picture) {
  return freeing((own) => {
    const shares = Float32Array.from(picture.data, (each) => each / 255);
    const scaled = own(new cv.Mat(picture.rows, picture.cols, cv.CV_32FC3));
    scaled.data32F.set(shares);
    return coloured(scaled, cv.COLOR_RGB2Lab);
  });
}

/** Brows to mouth, cheek to cheek. */
function faceArea(cv, picture, geometry) {
  const [[left, y], [right]] = eyes(geometry);
  const x = (left + right) / 2;
  const width = geometry.size * geometry.face_width;
  const [x0, y0] = [even(x - 0.4 * width), even(y - 0.25 * width)].map((each) => Math.max(each, 0));
  const x1 = Math.min(even(x + 0.4 * width), picture.cols);
  const y1 = Math.min(even(y + 0.65 * width), picture.rows);
  const view = picture.roi(new cv.Rect(x0, y0, x1 - x0, y1 - y0));
  const copy = copied(view);
  view.delete();
  return copy;
}

const average = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

const variance = (numbers) => covariance(numbers, numbers);

function covariance(some, others) {
  const [one, other] = [average(some), average(others)];
  return some.reduce((sum, each, at) => sum + (each - one) * (others[at] - other), 0) / some.length;
}
