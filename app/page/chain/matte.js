// The person on a crop, as stages/matte finds it: an alpha for each pixel.

import { GrabCut } from "./grabcut.js";
import { blob, freeing, matrix, resized } from "./opencv.js";

const SIDE = 256;

/** What finds the person; `file`: of its weights, in OpenCV's own file system. */
export function session(cv, { name, file }, geometry) {
  if (name === "grabcut") return new GrabCut(cv, geometry);
  if (name === "selfie") return new Selfie(cv, file);
  return { predict: ({ rows, cols }) => new cv.Mat(rows, cols, cv.CV_8U, new cv.Scalar(255)) };
}

/** MediaPipe's selfie segmenter. */
class Selfie {
  constructor(cv, file) {
    this.cv = cv;
    this.network = cv.readNetFromTFLite(file);
  }

  /** RGB -> alpha, both `uint8`. */
  predict(image) {
    const { cv } = this;
    return freeing((own) => {
      const method = Math.min(image.rows, image.cols) > SIDE ? cv.INTER_AREA : cv.INTER_LINEAR;
      const small = own(resized(image, SIDE, SIDE, method));
      this.network.setInput(own(blob(small, 1 / 255)));
      const shares = own(this.network.forward()).data32F.map((each) => Math.min(Math.max(each, 0), 1));
      const person = own(matrix(SIDE, SIDE, cv.CV_32F, shares));
      const whole = own(resized(person, image.cols, image.rows, cv.INTER_LINEAR));
      const alpha = new cv.Mat();
      whole.convertTo(alpha, cv.CV_8U, 255, 0);
      return alpha;
    });
  }
}
