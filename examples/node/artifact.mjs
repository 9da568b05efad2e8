/** An fgcompile artifact in ONNX Runtime: photos in, logits and map out. */

import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { PbfReader } from "pbf";
import sharp from "sharp";
import { readArtifact } from "../../fgcompile/page/site/artifact.js";
import { makeExplain } from "../../fgcompile/page/site/call.js";

const KEPT = 224 / 256; // of the short side: the usual evaluation crop of ImageNet

/**
 * Loads an artifact that was compiled with --mean and --std: it takes the raw photo, uint8 (N, H, W, C).
 *
 * Its `explain(pixels, target)` is that of `makeExplain`: of one element of the output, or of several.
 */
export async function loadArtifact(path) {
  const bytes = await readFile(path);
  const artifact = await readArtifact(path, bytes, new PbfReader(bytes));
  const explain = makeExplain(artifact, await InferenceSession.create(bytes), Tensor);
  return { metadata: artifact.metadata, shape: artifact.shape, explain };
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

/** Writes maps as a grey PNG, side by side: the minimum of them all black, the maximum white. */
export async function writeMaps(path, maps, [height, width]) {
  const low = Math.min(...maps.map((map) => map.reduce((a, b) => Math.min(a, b))));
  const high = Math.max(...maps.map((map) => map.reduce((a, b) => Math.max(a, b))));
  const heat = new Uint8Array(height * width * maps.length);
  maps.forEach((map, rank) => {
    map.forEach((value, place) => {
      const left = Math.floor(place / width) * width * maps.length + rank * width;
      heat[left + (place % width)] = (255 * (value - low)) / (high - low || 1);
    });
  });
  const raw = { width: width * maps.length, height, channels: 1 };
  await sharp(heat, { raw }).toColourspace("b-w").png().toFile(path);
}
