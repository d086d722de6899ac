// The chains of all tasks, as app/chain.py and app/server/answers.py have them: a photo in, what
// the page shows about it out.

import { Detector, choose, crop, transform } from "./faces.js";
import { session } from "./matte.js";
import { Network, calibrated, outputs, picture, traits } from "./network.js";
import { occlusion } from "./occlusion.js";
import { coloured, freeing, numbers, ofNumbers } from "./opencv.js";
import { coverage, cutoutFlags, faceFlags } from "./quality.js";

const NOTHING_LEFT = 0.05; // share of a crop

/** Something that is not answered: a key of the words, and their values. */
export class Refused extends Error {
  constructor(code, values = {}) {
    super(code);
    Object.assign(this, { code, values });
  }
}

export class Chains {
  /** `tasks`: of chains.json; their files are in OpenCV's own file system. */
  constructor(cv, tasks) {
    this.cv = cv;
    this.tasks = tasks;
    this.loaded = new Map();
  }

  /** What `make` makes, once for each key: tasks that look alike share all they can. */
  once(key, make, found = this.loaded) {
    const name = JSON.stringify(key);
    if (!found.has(name)) found.set(name, make());
    return found.get(name);
  }

  /** The answers of all tasks about one face of a photo; `wanted`: its place from left to right. */
  answers(pixels, wanted) {
    return this.seeing(pixels, (seen) => {
      const faces = fromLeft(this.faces(seen, this.tasks[0]));
      const face = this.wanted(seen, this.tasks[0], faces, wanted);
      return {
        width: pixels.width,
        height: pixels.height,
        faces: faces.map(({ box: [x, y, width, height] }) => ({ x, y, width, height })),
        face: face ? faces.indexOf(face) : null,
        answers: this.tasks.map((task) => this.answer(seen, task, face)),
      };
    });
  }

  /** Where on a face an answer rests. `said(pictures)` is a promise of what the task's network says
   * of each of them: `raw`. */
  async explanation(pixels, name, wanted, said) {
    const task = this.named(name);
    const { face, shown } = this.seeing(pixels, (seen) => {
      const faces = fromLeft(this.faces(seen, task));
      const face = this.wanted(seen, task, faces, wanted);
      if (!face) throw new Refused("error.no_face");
      return { face, shown: numbers(this.picture(seen, task, face)) };
    });
    const importance = await occlusion(shown, said, task.kind, task.window);
    return { ...square(face, task.geometry), rows: 8, columns: 8, importance };
  }

  /** The first output of a task's network to a picture, which is plain numbers. */
  raw(name, picture) {
    return freeing((own) => this.outputs(this.named(name), own(ofNumbers(picture)))[0]);
  }

  named(name) {
    return this.tasks.find((each) => each.task === name);
  }

  /** What `work` finds on a photo, RGBA; its matrices are freed afterwards. */
  seeing(pixels, work) {
    const { cv } = this;
    return freeing((own) => {
      const rgba = own(cv.matFromImageData(pixels));
      const seen = { image: own(coloured(rgba, cv.COLOR_RGBA2RGB)), found: new Map(), own };
      return work(seen);
    });
  }

  faces(seen, { detector, min_score }) {
    const key = [detector, min_score];
    const network = this.once(key, () => new Detector(this.cv, detector, min_score));
    return this.once(key, () => network.detect(seen.image), seen.found);
  }

  wanted(seen, task, faces, number) {
    if (number == null) return faces.length ? choose(this.faces(seen, task), task.face, seen.image) : null;
    if (!faces[number]) throw new Refused("error.no_such_face", { face: number, faces: faces.length });
    return faces[number];
  }

  answer(seen, task, wanted) {
    const faces = this.faces(seen, task);
    const face = wanted && same(faces, wanted);
    if (!face) return none(task, "error.no_face");
    const { square, alpha } = this.cutout(seen, task, face);
    const covered = coverage(alpha.data);
    const warnings = faceFlags(this.cv, square, face, faces.length, task);
    if (task.segmenter.name !== "none") warnings.push(...cutoutFlags(covered, task.cutout));
    if (covered < NOTHING_LEFT) return { ...none(task, "error.nothing_left"), warnings };
    const shown = this.picture(seen, task, face);
    const told = this.outputs(task, shown, place(task, face), seen.found);
    const { probabilities, value, within } = calibrated(told, task);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const ranged = value != null && within != null;
    return {
      task: task.task,
      label: task.labels[best],
      unsure: probabilities[best] < task.unsure_below,
      confidence: probabilities[best],
      probabilities: Object.fromEntries(task.labels.map((label, at) => [label, probabilities[at]])),
      value,
      value_low: ranged ? value - within : null,
      value_high: ranged ? value + within : null,
      warnings,
    };
  }

  cutout(seen, task, face) {
    const { geometry, segmenter } = task;
    const cuts = this.once([geometry, segmenter], () => session(this.cv, segmenter, geometry));
    const square = this.once([face, geometry], () => seen.own(crop(this.cv, seen.image, face, geometry)), seen.found);
    const alpha = this.once([face, geometry, segmenter], () => seen.own(cuts.predict(square)), seen.found);
    return { square, alpha };
  }

  picture(seen, task, face) {
    const { square, alpha } = this.cutout(seen, task, face);
    const make = () => seen.own(picture(this.cv, square, alpha, task.look));
    return this.once(place(task, face), make, seen.found);
  }

  /** What a task's network says of a picture. Tasks with one trunk and one picture, which has the
   * key `of`, share in `found` what the trunk says. */
  outputs({ trunk, head, views }, shown, of = [], found = new Map()) {
    const network = (file) => this.once([file], () => new Network(this.cv, file));
    const features = (mirrored) =>
      this.once([...of, trunk, mirrored], () => traits(this.cv, network(trunk), shown, mirrored), found);
    return outputs(this.cv, network(head), views, shown, features);
  }
}

const place = ({ geometry, segmenter, look }, face) => [face, geometry, segmenter, look];

const none = ({ task }, code) => ({
  task, label: null, unsure: false, confidence: null, probabilities: {}, value: null,
  value_low: null, value_high: null, warnings: [], code,
});

const fromLeft = (faces) => faces.toSorted((one, other) => one.box[0] - other.box[0]);

/** The face as one of `faces`: those of another detector, or of one with another limit. */
function same(faces, face) {
  const middle = ({ box: [x, y, width, height] }) => [x + width / 2, y + height / 2];
  const away = (each) => {
    const [[x, y], [u, v]] = [middle(each), middle(face)];
    return Math.hypot(x - u, y - v);
  };
  const near = faces.filter((each) => away(each) < face.box[2] / 2);
  return near.toSorted((one, other) => away(one) - away(other))[0];
}

/** Where in the photo a crop is: an upright square, and by how much it is turned. */
function square(face, geometry) {
  const [[cos, sin, right], [, , down]] = transform(face, geometry);
  const scale = Math.hypot(cos, sin);
  const [x, y] = [(geometry.size - 1) / 2 - right, (geometry.size - 1) / 2 - down];
  const side = geometry.size / scale;
  const middle = [(cos * x - sin * y) / scale ** 2, (sin * x + cos * y) / scale ** 2];
  const box = { x: middle[0] - side / 2, y: middle[1] - side / 2, width: side, height: side };
  return { box, angle: (Math.atan2(sin, cos) * 180) / Math.PI };
}
