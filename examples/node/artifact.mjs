/** An fgcompile artifact in ONNX Runtime: photos in, logits and map out. */

import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { PbfReader } from "pbf";
import sharp from "sharp";
import { readArtifact } from "../browser/artifact.js";

const KEPT = 224 / 256; // of the short side: the usual evaluation crop of ImageNet

/** Loads an artifact that was compiled with --mean and --std: it takes the raw photo, uint8 (N, H, W, C). */
export async function loadArtifact(path) {
  const bytes = await readFile(path);
  const { metadata, input, shape } = await readArtifact(path, bytes, new PbfReader(bytes));
  const classes = metadata.outputs.find((spec) => spec.name === "logits").shape[1];
  const session = await InferenceSession.create(bytes);

  /** Explains a class of one photo, −1 the predicted one: `{ logits, saliency }`, (K,) and (H, W), float32. */
  async function explain(pixels, target = -1) {
    if (!Number.isInteger(target) || target < -1 || target >= classes) {
      throw new Error(`target: give the number of a class from 0 to ${classes - 1}`);
    }
    const fixed = metadata.target !== "input";
    if (fixed && target !== -1) throw new Error(`target: fixed when compiling ${path} (${metadata.target})`);
    const feeds = { [input]: new Tensor("uint8", pixels, [1, ...shape]) };
    if (!fixed) feeds.target = new Tensor("int64", [BigInt(target)], [1]);
    if (metadata.on_demand) feeds.explain = new Tensor("bool", [true], []);
    const { logits, saliency } = await session.run(feeds, ["logits", "saliency"]);
    return { logits: logits.data, saliency: saliency.data };
  }

  return { metadata, shape, explain };
}

/** Reads a photo, turned upright, scaled (bicubic) and cropped about its centre: uint8 (H, W, C). */
export async function readPhoto(path, [height, width, channels]) {
  const bytes = await readFile(path);
  try {
    const photo = sharp(bytes, { failOn: "truncated" }).rotate().removeAlpha();
    const { autoOrient: size } = await photo.metadata();
    const kept = size.width === width && size.height === height ? 1 : KEPT;
    const scale = Math.max(width / size.width, height / size.height) / kept;
    const left = Math.round((scale * size.width - width) / 2);
    const top = Math.round((scale * size.height - height) / 2);
    return await photo
      .resize(width + 2 * left, height + 2 * top, { fit: "fill", kernel: "cubic", fastShrinkOnLoad: false })
      .extract({ left, top, width, height })
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer();
  } catch (error) {
    throw new Error(`${path} cannot be read as a picture (${error.message}): give a complete image file`);
  }
}

/** Writes a map as a grey PNG: its minimum black, its maximum white. */
export async function writeMap(path, saliency, [height, width]) {
  const low = saliency.reduce((a, b) => Math.min(a, b));
  const high = saliency.reduce((a, b) => Math.max(a, b));
  const heat = Uint8Array.from(saliency, (value) => (255 * (value - low)) / (high - low || 1));
  await sharp(heat, { raw: { width, height, channels: 1 } }).toColourspace("b-w").png().toFile(path);
}
