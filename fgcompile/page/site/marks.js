/** What is marked in the picture of a target: its place, or a detector's box. */

import { findBox } from "./boxes.js";
import { findAxes } from "./classes.js";

/**
 * Lays a mark over what it marks of a photo; hides it where a target has neither a place nor a box.
 *
 * `shape` is that of the artifact's picture, which lies in the photo's part.
 */
export function placeMark(mark, { canvas, part }, target, explanation, { metadata, shape }) {
  const place = target && placeOf(target, explanation.logits, metadata);
  const sides = place ?? (target && findBox(target, explanation, shape));
  mark.hidden = !sides;
  if (!sides) return;
  mark.className = place ? "place" : "box";
  const across = (value) => (100 * (part.left + within(value) * part.width)) / canvas.width;
  const down = (value) => (100 * (part.top + within(value) * part.height)) / canvas.height;
  mark.style.left = `${across(sides.left)}%`;
  mark.style.top = `${down(sides.top)}%`;
  mark.style.width = `${across(sides.right) - across(sides.left)}%`;
  mark.style.height = `${down(sides.bottom) - down(sides.top)}%`;
}

/** The element of an output of classes, height and width that a target is, in parts of the picture. */
function placeOf(target, { sizes }, metadata) {
  const { places } = findAxes(metadata);
  if (!places.length) return undefined;
  const [[top, bottom], [left, right]] = places.map((axis) => [0, 1].map((end) => (target[axis] + end) / sizes[axis]));
  return { left, top, right, bottom };
}

function within(part) {
  return Math.min(Math.max(part, 0), 1);
}
