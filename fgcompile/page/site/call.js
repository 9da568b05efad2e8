/** One call of an artifact, by whichever of ONNX Runtime's packages opened it: the page's, or that of Node.js. */

import { boxOutputs } from "./boxes.js";
import {
  checkTarget,
  checkTargets,
  explainedTargets,
  largestTargets,
  targetAxes,
  targetCount,
  targetTensor,
} from "./targets.js";

const TERMS = "contributions";

/**
 * The function that explains a photo: `explain(pixels, target)`, with `artifact` from `readArtifact`, and the package's
 * session and `Tensor`.
 *
 * The target is a number, an index for each axis, or several of either; without one the largest are explained, as many
 * as a call takes. Returns `{ logits: { data, sizes }, outputs, targets, score, maps, milliseconds }`: of each map,
 * float32 (H, W), the element that it is of; the targets are undefined where the artifact explains a score of its own,
 * and `score` is that where the terms are returned, which add up to it. The outputs, by name, are those of the model
 * that may hold a detector's boxes.
 */
export function makeExplain({ metadata, input, shape }, session, Tensor) {
  const fixed = metadata.target !== "input";
  const isSummed = metadata.target === "score" && metadata.outputs.some(({ name }) => name === TERMS);

  async function call(pixels, targets, explained) {
    // A copy of the pixels, since a worker keeps what it is given.
    const feeds = { [input]: new Tensor("uint8", pixels.slice(), [1, ...shape]) };
    if (!fixed) {
      const { data, dims } = targetTensor(metadata, targets);
      feeds.target = new Tensor("int64", data, dims);
    }
    if (metadata.on_demand) feeds.explain = new Tensor("bool", [explained], []);
    const names = boxOutputs(metadata);
    const wanted = ["logits", "saliency", ...names, ...(isSummed ? [TERMS] : [])];
    const { logits, saliency, ...others } = await session.run(feeds, wanted);
    const outputs = Object.fromEntries(names.map((name) => [name, numbersOf(others[name])]));
    const score = isSummed ? others[TERMS].data.reduce((sum, term) => sum + term) : undefined;
    return { logits: numbersOf(logits), outputs, score, saliency: saliency.data };
  }

  /** The elements with the largest logits, which a call has to tell; where it explains one, the artifact finds it. */
  async function largest(pixels) {
    const count = targetCount(metadata) ?? 1;
    const alone = Array.from({ length: count }, () => targetAxes(metadata).map(() => -1));
    if (fixed || count === 1) return alone;
    const { logits } = await call(pixels, alone, false);
    const found = largestTargets(logits, count);
    return alone.map((_, rank) => found[rank % found.length]); // again from the first where there are fewer
  }

  return async function explain(pixels, target) {
    if (fixed && target !== undefined) {
      throw new Error(`target: fixed when compiling (${metadata.target}), leave it out`);
    }
    const asked = target === undefined ? undefined : checkTargets(metadata, target);
    const start = performance.now();
    const targets = asked ?? (await largest(pixels));
    const { logits, outputs, score, saliency } = await call(pixels, targets, true);
    const milliseconds = performance.now() - start;
    if (!fixed) requireElements(targets, metadata, logits.sizes);
    const size = shape[0] * shape[1];
    const maps = Array.from({ length: saliency.length / size }, (_, i) => saliency.subarray(i * size, (i + 1) * size));
    return { logits, outputs, targets: explainedTargets(metadata, targets, logits), score, maps, milliseconds };
  };
}

/** Of a tensor of one sample. */
function numbersOf({ data, dims }) {
  return { data, sizes: dims.slice(1) };
}

/** Sizes that depend on the photo's are known once the logits are there. */
function requireElements(targets, metadata, sizes) {
  const axes = targetAxes(metadata).map(({ name }, place) => ({ name, size: sizes[place] }));
  for (const target of targets) checkTarget(target, axes);
}
