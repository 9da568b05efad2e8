/** The classes of one photo, or of one place of it, best first; which of them to list; what to ask about them. */

import { checkTarget, classAxisOf, indicesOf, largestTargets, resolveTarget, scoreOf, targetAxes, targetName } from "./targets.js";

const LISTED = 10;
const FOUND = 100; // elements, where no axis is the classes'

/**
 * Which axis of the output is the class, `{ axis, places }`, undefined where nothing says so; and where the others are
 * height and width, these.
 */
export function findAxes(metadata) {
  const axes = targetAxes(metadata);
  const axis = classAxisOf(axes, metadata.labels);
  const places = ["height", "width"].map((name) => axes.findIndex((each) => each.name === name));
  return { axis, places: axes.length === 3 && axis !== undefined && !places.includes(-1) ? places : [] };
}

/** The best of these classes whose name holds the query, and a target's own: `[{ target, name, score }, …]`. */
export function listClasses(logits, target, metadata, query) {
  const classes = rankClasses(logits, target, metadata);
  const wanted = query.trim().toLowerCase();
  const found = classes.filter(({ name }) => name.toLowerCase().includes(wanted));
  const listed = found.slice(0, LISTED);
  if (!target || listed.some((entry) => isSame(entry.target, target))) return listed;
  return [...listed, { target, name: targetName(target, metadata), score: scoreOf(target, logits) }];
}

/**
 * All classes at the place of a target. Of an output whose other axes are no places, a detector's, the strongest element
 * of each class, wherever it is; where no axis is the classes', the strongest elements.
 */
export function rankClasses(logits, target, metadata) {
  const { axis, places } = findAxes(metadata);
  if (places.length && !target) return []; // the artifact explains a score of its own, at no place
  let elements;
  if (axis === undefined) elements = largestTargets(logits, FOUND);
  else if (places.length) elements = Array.from({ length: logits.sizes[axis] }, (_, index) => target.with(axis, index));
  else elements = strongestOfEach(logits, axis);
  const classes = elements.map((each) => ({
    target: each,
    name: targetName(each, metadata),
    score: scoreOf(each, logits),
  }));
  return classes.sort((a, b) => b.score - a.score); // of equals the lower index stays first
}

/** For each index on an axis the largest element that has it, of equals the first. */
function strongestOfEach({ data, sizes }, axis) {
  const stride = sizes.slice(axis + 1).reduce((product, size) => product * size, 1);
  const best = Array(sizes[axis]).fill(-1);
  data.forEach((score, place) => {
    const index = Math.floor(place / stride) % sizes[axis];
    if (best[index] === -1 || score > data[best[index]]) best[index] = place;
  });
  return best.map((place) => indicesOf(place, sizes));
}

/** Whether a text asks for an element of an output of several axes, "2,40"; "-1" is the largest. */
export function isElement(text, metadata) {
  return targetAxes(metadata).length > 1 && /^\s*(-1|-?\d+(\s*,\s*-?\d+)+)\s*$/.test(text);
}

/** That element; throws an Error that says which indices are in range. */
export function readElement(text, logits, metadata) {
  const axes = targetAxes(metadata).map(({ name }, place) => ({ name, size: logits.sizes[place] }));
  const asked = text.split(",").map(Number);
  const target = asked.length === 1 ? axes.map(() => -1) : asked;
  checkTarget(target, axes);
  return resolveTarget(target, logits);
}

export function isSame(one, other) {
  return String(one) === String(other);
}
