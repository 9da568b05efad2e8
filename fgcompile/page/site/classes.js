/** The classes of one photo, or of one place of it, best first; which of them to list; what to ask about them. */

import { scoreOf, targetAxes, targetName } from "./targets.js";

const LISTED = 10;

/**
 * Which axis of the output is the class, and which are height and width: `{ axis, places }`, without places where
 * there is a class alone; undefined where the artifact does not say so.
 */
export function classAxis(metadata) {
  const names = targetAxes(metadata).map(({ name }) => name);
  const axis = names.indexOf("class");
  const places = names.length === 1 ? [] : [names.indexOf("height"), names.indexOf("width")];
  return axis === -1 || names.length !== 1 + places.length || places.includes(-1) ? undefined : { axis, places };
}

/** The best classes at a target's place whose name holds the query, and its own: `[{ target, name, score }, …]`. */
export function listClasses(logits, target, metadata, query) {
  const classes = rankClasses(logits, target, metadata);
  const wanted = query.trim().toLowerCase();
  const found = classes.filter(({ name }) => name.toLowerCase().includes(wanted));
  const listed = found.slice(0, LISTED);
  return listed.concat(classes.filter((entry) => isSame(entry.target, target) && !listed.includes(entry)));
}

/** All classes at the place of a target, which is undefined where the artifact explains a score of its own. */
export function rankClasses(logits, target, metadata) {
  const found = classAxis(metadata);
  if (!found || (found.places.length && !target)) return [];
  const { axis } = found;
  const classes = Array.from({ length: logits.sizes[axis] }, (_, index) => {
    const each = (target ?? [index]).with(axis, index);
    return { target: each, name: targetName(each, metadata), score: scoreOf(each, logits) };
  });
  return classes.sort((a, b) => b.score - a.score); // of equals the lower index stays first
}

export function isSame(one, other) {
  return String(one) === String(other);
}
