// From a cut-out to probabilities: the picture that a network sees, and what its answer means.

import { blob, coloured, freeing, made, matrix, resized } from "./opencv.js";

const LEAST = 2 ** -23; // float32 cannot tell probabilities this close to 0 from 0

/** A crop and its alpha as a network sees them: RGB or grey, `uint8`. */
export function picture(cv, square, alpha, { size, channels, background }) {
  return freeing((own) => {
    const laid = background === "keep" ? square : own(onBackground(cv, square, alpha, background));
    const seen = channels === "gray" ? own(coloured(laid, cv.COLOR_RGB2GRAY)) : laid;
    const method = size <= seen.rows ? cv.INTER_AREA : cv.INTER_LINEAR;
    return resized(seen, size, size, method);
  });
}

function onBackground(cv, square, alpha, background) {
  return freeing((own) => {
    const cutout = own(coloured(square, cv.COLOR_RGB2RGBA));
    alpha.data.forEach((each, place) => (cutout.data[4 * place + 3] = each));
    const thin = own(coloured(cutout, cv.COLOR_RGBA2mRGBA));
    const laid = coloured(thin, cv.COLOR_RGBA2RGB);
    const colours = laid.data;
    alpha.data.forEach((each, place) => {
      background.forEach((colour, channel) => {
        const at = 3 * place + channel;
        colours[at] = Math.min(255, colours[at] + Math.round(((255 - each) / 255) * colour));
      });
    });
    return laid;
  });
}

/** A file of a network, loaded. */
export class Network {
  /** `file`: ONNX, in OpenCV's own file system. */
  constructor(cv, file) {
    this.cv = cv;
    this.network = cv.readNetFromONNX(file);
    this.names = this.network.getUnconnectedOutLayersNames();
  }

  /** Its outputs, each a Float32Array; `inputs`: name -> matrix. */
  run(inputs) {
    const outputs = new this.cv.MatVector();
    for (const [name, input] of Object.entries(inputs)) this.network.setInput(input, name);
    this.network.forward2(outputs, this.names);
    const found = Array.from({ length: outputs.size() }, (_, place) => {
      const output = outputs.get(place);
      const numbers = output.data32F.slice();
      output.delete();
      return numbers;
    });
    outputs.delete();
    return found;
  }
}

/** What a network says of a picture. It takes `views` of it: its pixels, or what a trunk says of them,
 * which `features(mirrored)` tells; and the same of the picture turned left to right. */
export function outputs(cv, network, views, seen, features) {
  return freeing((own) => {
    const inputs = views.map((name) => {
      const mirrored = name.startsWith("mirrored_");
      if (name.endsWith("features")) return [name, own(row(cv, features(mirrored)))];
      return [name, own(blob(turned(cv, seen, mirrored, own)))];
    });
    return network.run(Object.fromEntries(inputs));
  });
}

/** What a trunk says of a picture, or of the picture turned left to right. */
export const traits = (cv, trunk, seen, mirrored) =>
  freeing((own) => trunk.run({ pixels: own(blob(turned(cv, seen, mirrored, own))) })[0]);

const turned = (cv, seen, mirrored, own) =>
  mirrored ? own(made((out) => cv.flip(seen, out, 1))) : seen;

const row = (cv, numbers) => matrix(1, numbers.length, cv.CV_32F, numbers);

/** Outputs as {probabilities, value, within}, as stages/networks/predict.py reads them. */
export function calibrated([raw, value], { kind, calibration, bins }) {
  const within = calibration.within ?? null;
  if (kind === "regression") {
    return { probabilities: masses(raw[0], calibration.sigma, bins), value: raw[0], within };
  }
  const shares = raw.length === 1 ? [1 - raw[0], raw[0]] : [...raw];
  const logs = shares.map((each) => Math.log(Math.max(each, LEAST)) / calibration.temperature);
  const highest = Math.max(...logs);
  const powers = logs.map((each) => Math.exp(each - highest));
  const total = powers.reduce((sum, each) => sum + each, 0);
  const number = value ? value[0] : null;
  return { probabilities: powers.map((each) => each / total), value: number, within };
}

/** What a normal distribution around `number` has in each bin, [first, last]. */
function masses(number, sigma, bins) {
  const between = bins.slice(1).map(([first], place) => (bins[place][1] + first) / 2);
  const below = [-Infinity, ...between, Infinity].map((edge) => normal((edge - number) / sigma));
  return bins.map((_, place) => below[place + 1] - below[place]);
}

/** The normal distribution function, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17). */
function normal(x) {
  if (Math.abs(x) > 38) return x > 0 ? 1 : 0;
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const powers = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = powers.reduceRight((tail, each) => t * (each + tail), 0);
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return x > 0 ? 1 - tail : tail;
}
