/**
 * What an artifact is asked: of which elements of its output the map is, as its input `target` says.
 *
 * A target is an index for each axis of the output behind the batch, `[2, 40, 31]`. −1 stands for the largest: in the
 * last place for the largest there, alone or in all places for the largest of all. `examples/node` asks by this file
 * too; it imports nothing.
 */

const LARGEST = -1;

/** The axes that a target indexes, `[{ name, size }, …]`; a size that depends on the photo's is a name. */
export function targetAxes(metadata) {
  if (metadata.target_axes) return metadata.target_axes;
  const [, ...sizes] = metadata.outputs.find((spec) => spec.name === "logits").shape;
  if (sizes.length === 1) return [{ name: "class", size: sizes[0] }]; // all that older artifacts explain
  return sizes.map((size, place) => ({ name: `axis_${place + 1}`, size })); // of a fixed target no more is told
}

/** Which axis is the classes': the only one, the one that is called so, or the one with as many labels. */
export function classAxisOf(axes, labels) {
  if (axes.length <= 1) return 0;
  const called = axes.findIndex(({ name }) => name === "class");
  if (!labels) return called === -1 ? undefined : called;
  const fitting = axes.flatMap(({ size }, axis) => (size === labels.length ? [axis] : []));
  if (fitting.includes(called)) return called;
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** How many targets one call explains; undefined where the caller decides. */
export function targetCount(metadata) {
  return metadata.targets === "dynamic" ? undefined : (metadata.targets ?? 1);
}

/** Targets as a command line has them: "3", or "2,40,31" of three axes; "3;5;7" are three. */
export function readTargets(text) {
  return text.split(";").map((target) =>
    target.split(",").map((index) => {
      if (/^\s*-?\d+\s*$/.test(index)) return Number(index);
      throw new Error(`target ${text} is none: give a number, an index for each axis as 2,40,31, or several as 3;5;7`);
    }),
  );
}

/**
 * Targets as lists of indices: of a number, of one target's indices, or of several targets.
 *
 * Throws an Error that names the first that no element of the output has, or how many the artifact takes.
 */
export function checkTargets(metadata, asked) {
  const axes = targetAxes(metadata);
  const several = [asked].flat().map((part) => [part].flat());
  const one = axes.length > 1 && Array.isArray(asked) && !asked.some(Array.isArray);
  const targets = (one ? [asked] : several).map((target) =>
    target.length === 1 && target[0] === LARGEST ? axes.map(() => LARGEST) : target,
  );
  const count = targetCount(metadata);
  if (targets.length !== (count ?? Math.max(targets.length, 1))) {
    throw new Error(`target: ${targets.length} given, and a call of this artifact explains ${count ?? "at least 1"}`);
  }
  for (const target of targets) checkTarget(target, axes);
  return targets;
}

/** Throws an Error where the output, whose axes have these sizes, has no such element. */
export function checkTarget(target, axes) {
  const shown = `target ${target.join(",")}`;
  if (target.length !== axes.length || !target.every(Number.isSafeInteger)) {
    const names = axes.map(({ name }) => name).join(",");
    throw new Error(`${shown} is none: give ${axes.length === 1 ? "the number of a class" : `the indices ${names}`}`);
  }
  if (target.every((index) => index === LARGEST)) return;
  const last = axes.length - 1;
  const wrong = target.findIndex((index, place) => index < (place === last ? LARGEST : 0) || index >= axes[place].size);
  if (wrong === -1) return;
  const { name, size } = axes[wrong];
  const range = Number.isInteger(size) ? `from 0 to ${size - 1}` : "from 0 up";
  const rest = wrong === last ? "in the last place -1 for the largest there" : "-1 alone for the largest of all";
  if (last === 0) throw new Error(`${shown} is out of range: give a class ${range}, or -1 for the predicted one`);
  throw new Error(`${shown} is out of range: give as ${name} an index ${range}, or ${rest}`);
}

/** The input `target` for one sample, of targets that were checked: the `{ data, dims }` of an int64 tensor. */
export function targetTensor(metadata, targets) {
  const rank = targetAxes(metadata).length;
  const dims = [1, ...("targets" in metadata ? [targets.length] : []), ...(rank > 1 ? [rank] : [])];
  return { data: BigInt64Array.from(targets.flat(), BigInt), dims };
}

/** What a call has explained, given what it was asked; undefined where that is a score of the artifact's own. */
export function explainedTargets(metadata, targets, logits) {
  if (Number.isInteger(metadata.target)) return [[metadata.target]];
  if (metadata.target === "predicted") return largestTargets(logits, targetCount(metadata));
  return metadata.target === "input" ? targets.map((target) => resolveTarget(target, logits)) : undefined;
}

/** A target with the largest in place of −1. */
export function resolveTarget(target, logits) {
  if (target.at(-1) !== LARGEST) return target;
  if (target[0] === LARGEST) return largestTargets(logits, 1)[0];
  const there = target.slice(0, -1);
  const scores = Array.from({ length: logits.sizes.at(-1) }, (_, index) => scoreOf([...there, index], logits));
  return [...there, scores.indexOf(scores.reduce((best, score) => Math.max(best, score)))];
}

/** The elements with the largest logits, `{ data, sizes }`, in descending order; of equals the first. */
export function largestTargets({ data, sizes }, count) {
  const best = [];
  data.forEach((score, place) => {
    if (best.length === count && !(score > data[best.at(-1)])) return;
    const rank = best.findIndex((other) => score > data[other]);
    best.splice(rank === -1 ? best.length : rank, 0, place);
    best.splice(count);
  });
  return best.map((place) => indicesOf(place, sizes));
}

/** The index on each axis of what is at a place of the data. */
export function indicesOf(place, sizes) {
  const target = [];
  for (const size of [...sizes].reverse()) {
    target.unshift(place % size);
    place = Math.floor(place / size);
  }
  return target;
}

/** The logit of an element. */
export function scoreOf(target, { data, sizes }) {
  return data[target.reduce((place, index, axis) => place * sizes[axis] + index, 0)];
}

/** An element in words: "bald eagle", or "dog, height 40, width 31". Labels are those of the axis that is as long. */
export function targetName(target, metadata) {
  const { labels } = metadata;
  const axes = targetAxes(metadata);
  const labelled = labels ? classAxisOf(axes, labels) : undefined;
  return target
    .map((index, place) => (place === labelled ? labels[index] : `${axes[place].name} ${index}`))
    .join(", ");
}
