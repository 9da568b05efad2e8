/**
 * Explains a photo in Node.js: the top classes, and the map as a picture.
 *
 *     node explain.mjs ARTIFACT.onnx PHOTO [--target CLASS] [--output saliency.png]
 *
 * The artifact is one compiled with --mean and --std. CLASS is a number; without it the predicted class is explained.
 */

import { parseArgs } from "node:util";
import { loadArtifact, readPhoto, writeMap } from "./artifact.mjs";

const USAGE = "node explain.mjs ARTIFACT.onnx PHOTO [--target CLASS] [--output saliency.png]";

async function main() {
  const options = { target: { type: "string", default: "-1" }, output: { type: "string", default: "saliency.png" } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (positionals.length !== 2) throw new Error(`usage: ${USAGE}`);
  const [path, photo] = positionals;

  const artifact = await loadArtifact(path);
  const pixels = await readPhoto(photo, artifact.shape);
  const start = performance.now();
  const { logits, saliency } = await artifact.explain(pixels, Number(values.target));
  const milliseconds = performance.now() - start;
  await writeMap(values.output, saliency, artifact.shape);

  const { labels } = artifact.metadata;
  const classes = Array.from(logits, (score, index) => ({ name: labels ? labels[index] : `class ${index}`, score }));
  classes.sort((a, b) => b.score - a.score);
  for (const { name, score } of classes.slice(0, 3)) console.log(`${score.toFixed(2).padStart(6)}  ${name}`);
  console.log(`The map is in ${values.output}; logits and map took ${Math.round(milliseconds)} ms.`);
}

main().catch((error) => {
  console.error(error.message.split("\n")[0]);
  process.exitCode = 2;
});
