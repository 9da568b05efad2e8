/**
 * What is asked of a text: a class; of a class at each token where, too.
 *
 * Where a language model is asked nothing, it is the token that it expects behind the text, or in the place of
 * `[MASK]`; where a tagger is, the surest tag of a token of the text, those called `O` left aside.
 */

import { strip } from "./words.js";

const OUTSIDE = "O";

/**
 * The element to explain. `wish` is `{ place, kind }`, a token and a class, either of which may be undefined, and
 * `logits` the text's, `{ data, sizes }`.
 */
export function chooseElement(model, encoded, { place, kind } = {}, logits) {
  if (model.axes.length === 1) return [kind ?? largest(logits, [undefined])];
  const there = place ?? (model.writes ? nextPlace(model, encoded) : surestPlace(model, encoded, logits));
  return elementAt(model, there, kind ?? largest(logits, elementAt(model, there)));
}

/** The element of a class at a token's place. */
export function elementAt(model, place, kind) {
  if (model.axes.length === 1) return [kind];
  return model.classes === 0 ? [kind, place] : [place, kind];
}

/** The token that an element is about; undefined where there is one class for the whole text. */
export function placeOf(model, element) {
  return element.length === 2 ? element[1 - model.classes] : undefined;
}

/** Of the classes at an element's place the one with the largest logit; of equals the first. */
function largest(logits, element) {
  const axis = element.indexOf(undefined);
  let best = 0;
  for (let index = 1; index < logits.sizes[axis]; index++) {
    if (scoreAt(logits, element.with(axis, index)) > scoreAt(logits, element.with(axis, best))) best = index;
  }
  return best;
}

export function scoreAt({ data, sizes }, element) {
  return data[element.reduce((place, index, axis) => place * sizes[axis] + index, 0)];
}

/** The place at which a language model says what it expects. */
export function nextPlace(model, { pieces }) {
  const masked = pieces.flatMap(({ id }, place) => (id === model.mask ? [place] : []));
  if (masked.length === 1) return masked[0];
  if (masked.length) throw new Error(`${masked.length} words are masked: mask one`);
  const last = pieces.at(-1);
  if (last.segment !== null) return pieces.length - 1;
  const name = model.mask === undefined ? "mask" : model.tokenizer.names.get(model.mask);
  throw new Error(
    `the tokenizer ends a text in ${last.text}, behind which nothing comes: put ${name} in the place of the word to ` +
      "be explained",
  );
}

/** Of the text's own tokens the one whose best class has the largest logit. */
function surestPlace(model, { pieces }, logits) {
  const own = pieces.flatMap(({ segment }, place) => {
    if (segment === null) return [];
    const kind = largest(logits, elementAt(model, place));
    return [{ place, kind, score: scoreAt(logits, elementAt(model, place, kind)) }];
  });
  const inside = own.filter(({ kind }) => model.metadata.labels?.[kind] !== OUTSIDE);
  return (inside.length ? inside : own).reduce((best, each) => (each.score > best.score ? each : best)).place;
}

/** A class in words: a label, or a token that is expected. */
export function kindName(model, kind) {
  const { labels } = model.metadata;
  if (model.writes && !labels) return model.tokenizer.tokenName(kind);
  return labels?.[kind] ?? `class ${kind}`;
}

/** An element in words, with the token that it is of. */
export function elementName(model, element, encoded) {
  const name = kindName(model, element[model.classes ?? 0]);
  const place = placeOf(model, element);
  if (place === undefined || (model.writes && place === quietPlace(model, encoded))) return name;
  return `${name} at ${surface(encoded, place)}`;
}

function quietPlace(model, encoded) {
  try {
    return nextPlace(model, encoded);
  } catch {
    return undefined; // nothing is expected by itself: the place is part of the name
  }
}

function surface({ texts, pieces }, place) {
  if (place >= pieces.length) return "a pad";
  const { segment, start, end, text } = pieces[place];
  return segment === null ? text : strip(texts[segment].slice(start, end).join(""));
}
