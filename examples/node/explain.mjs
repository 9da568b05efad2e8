/**
 * Explains a photo in Node.js: the top classes, and the map as a picture.
 *
 *     node explain.mjs ARTIFACT.onnx PHOTO [--target TARGET] [--output saliency.png]
 *
 * The artifact is one compiled with --mean and --std. TARGET is the number of a class, 3, or an index for each axis of
 * the output, 2,40,31; several, as 3;5;7, for an artifact that takes several. Without it the largest are explained.
 */

import { parseArgs } from "node:util";
import { largestTargets, readTargets, scoreOf, targetName } from "../../fgcompile/page/site/targets.js";
import { loadArtifact, readPhoto, writeMaps } from "./artifact.mjs";

const USAGE = "node explain.mjs ARTIFACT.onnx PHOTO [--target TARGET] [--output saliency.png]";
const LISTED = 3;

async function main() {
  const options = { target: { type: "string" }, output: { type: "string", default: "saliency.png" } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (positionals.length !== 2) throw new Error(`usage: ${USAGE}`);
  const [path, photo] = positionals;

  const artifact = await loadArtifact(path);
  const target = values.target === undefined ? undefined : readTargets(values.target);
  const pixels = await readPhoto(photo, artifact.shape, artifact.fit);
  const { logits, targets, score, maps, milliseconds } = await artifact.explain(pixels, target);
  await writeMaps(values.output, maps, artifact.shape);

  // Of one class the best, to compare with; else what each map is of: the best places are beside each other.
  const listed = maps.length === 1 && logits.sizes.length === 1 ? largestTargets(logits, LISTED) : targets;
  for (const each of listed ?? []) {
    console.log(`${scoreOf(each, logits).toFixed(2).padStart(6)}  ${targetName(each, artifact.metadata)}`);
  }
  if (!targets) console.log([artifact.metadata.score, score?.toFixed(2)].filter(Boolean).join("  "));
  const [written, are] = maps.length === 1 ? ["The map is", "map"] : [`${maps.length} maps are side by side`, "maps"];
  console.log(`${written} in ${values.output}; logits and ${are} took ${Math.round(milliseconds)} ms.`);
}

main().catch((error) => {
  console.error(error.message.split("\n")[0]);
  process.exitCode = 2;
});
