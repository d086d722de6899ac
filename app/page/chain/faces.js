// Faces found and cropped, as stages/extract does it.

import { coloured, even, freeing, made, matrix } from "./opencv.js";

const SIDES = [640, 1600]; // pixels; the second size is tried where the first shows no face
const LEAST = 33; // pixels; with less, the network reads memory that nobody has written
const FACE_PER_EYES = 2.19;
const EYES_TO_MOUTH = 1.2;

export class Detector {
  /** `file`: YuNet's, in OpenCV's own file system. */
  constructor(cv, file, score) {
    this.cv = cv;
    this.network = new cv.FaceDetectorYN(file, "", new cv.Size(320, 320), score, 0.3, 5000, 0, 0);
  }

  /** Faces in an RGB photo: {box: [x, y, width, height], score, landmarks: five [x, y]}. */
  detect(image) {
    for (const side of SIDES) {
      const scale = Math.min(1, side / Math.max(image.rows, image.cols));
      const faces = this.at(image, scale);
      if (faces.length || scale === 1) return faces;
    }
    return [];
  }

  at(image, scale) {
    const { cv } = this;
    return freeing((own) => {
      const none = new cv.Size(0, 0);
      const small = scale === 1 ? image
        : own(made((out) => cv.resize(image, out, none, scale, scale, cv.INTER_AREA)));
      const below = Math.max(0, LEAST - small.rows);
      const right = Math.max(0, LEAST - small.cols);
      const wide = own(made((out) =>
        cv.copyMakeBorder(small, out, 0, below, 0, right, cv.BORDER_CONSTANT, new cv.Scalar()),
      ));
      const seen = own(coloured(wide, cv.COLOR_RGB2BGR));
      this.network.setInputSize(new cv.Size(seen.cols, seen.rows));
      const found = own(made((out) => this.network.detect(seen, out)));
      const rows = Array.from({ length: found.rows }, (_, row) => [...found.floatPtr(row)]);
      return rows.filter((row) => isIn(row, small)).map((row) => face(row, scale));
    });
  }
}

function isIn(row, { rows, cols }) {
  const [x, y, width, height] = row;
  const seen = width > 0 && height > 0 && -width < x && x < cols && -height < y && y < rows;
  return seen && row.every(Number.isFinite);
}

function face(row, scale) {
  const places = row.slice(0, 14).map((place) => place / scale);
  const landmarks = [4, 6, 8, 10, 12].map((at) => places.slice(at, at + 2));
  return { box: places.slice(0, 4), score: row[14], landmarks };
}

/** The `which` (largest, central) of `faces`. */
export function choose(faces, which, image) {
  const cost = ({ box: [x, y, width, height] }) =>
    which === "largest" ? -width * height
      : Math.hypot(x + width / 2 - image.cols / 2, y + height / 2 - image.rows / 2);
  return faces.reduce((best, each) => (cost(each) < cost(best) ? each : best));
}

/** Where both eyes are in a crop: [[x, y], [x, y]]. */
export function eyes({ size, face_width }) {
  const apart = (size * face_width) / FACE_PER_EYES;
  const middle = (size - 1) / 2;
  return [[middle - apart / 2, 0.46 * size], [middle + apart / 2, 0.46 * size]];
}

/** Turn, scale and shift from the photo's pixels to the crop's: two rows of three. */
export function transform({ landmarks }, geometry) {
  const [left, right, , ...mouth] = landmarks;
  const across = [right[0] - left[0], right[1] - left[1]];
  const wide = Math.hypot(...across);
  const middle = mean([left, right]);
  const toMouth = mean(mouth).map((place, axis) => place - middle[axis]);
  const apart = Math.max(wide, Math.hypot(...toMouth) / EYES_TO_MOUTH);
  const target = eyes(geometry);
  const scale = (target[1][0] - target[0][0]) / apart;
  const [cos, sin] = across.map((each) => (scale * each) / Math.max(wide, 1e-6));
  const [x, y] = mean(target);
  return [
    [cos, sin, x - cos * middle[0] - sin * middle[1]],
    [-sin, cos, y + sin * middle[0] - cos * middle[1]],
  ];
}

function mean(points) {
  return [0, 1].map((axis) => points.reduce((sum, each) => sum + each[axis], 0) / points.length);
}

/** A square crop of an RGB photo, RGB; the photo's edge is repeated beyond it. */
export function crop(cv, image, face, geometry) {
  const found = transform(face, geometry);
  const scale = Math.hypot(found[0][0], found[0][1]);
  return freeing((own) => {
    let source = image;
    if (scale < 1) { // INTER_AREA averages what warpAffine would skip
      const width = Math.max(even(image.cols * scale), 1);
      const height = Math.max(even(image.rows * scale), 1);
      source = own(made((out) =>
        cv.resize(image, out, new cv.Size(width, height), 0, 0, cv.INTER_AREA),
      ));
      const back = [image.cols / width, image.rows / height];
      for (const row of found) {
        row[2] += row[0] * (back[0] / 2 - 0.5) + row[1] * (back[1] / 2 - 0.5);
        row[0] *= back[0];
        row[1] *= back[1];
      }
    }
    const warp = own(matrix(2, 3, cv.CV_64F, found.flat()));
    const size = new cv.Size(geometry.size, geometry.size);
    return made((out) =>
      cv.warpAffine(source, out, warp, size, cv.INTER_LINEAR, cv.BORDER_REPLICATE, new cv.Scalar()),
    );
  });
}
