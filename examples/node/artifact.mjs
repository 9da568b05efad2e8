/** An fgcompile artifact in ONNX Runtime: photos in, logits and map out. */

import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { PbfReader } from "pbf";
import sharp from "sharp";
import { readArtifact } from "../../fgcompile/page/site/artifact.js";
import { makeExplain } from "../../fgcompile/page/site/call.js";
import { place } from "../../fgcompile/page/site/fit.js";

// Of sharp's kernels those nearest to Pillow's.
const KERNELS = { nearest: "nearest", box: "linear", bilinear: "linear", hamming: "mitchell", lanczos: "lanczos3" };

/**
 * Loads an artifact that was compiled with --mean and --std: it takes the raw photo, uint8 (N, H, W, C).
 *
 * Its `explain(pixels, target)` is that of `makeExplain`: of one element of the output, or of several.
 */
export async function loadArtifact(path) {
  const bytes = await readFile(path);
  const artifact = await readArtifact(path, bytes, new PbfReader(bytes));
  const explain = makeExplain(artifact, await InferenceSession.create(bytes), Tensor);
  return { metadata: artifact.metadata, shape: artifact.shape, fit: artifact.fit, explain };
}

/** Reads a photo, turned upright, fitted as the metadata say, or scaled (bicubic) and cropped: uint8 (H, W, C). */
export async function readPhoto(path, [height, width, channels], fit) {
  const bytes = await readFile(path);
  try {
    const photo = sharp(bytes, { failOn: "truncated" }).rotate().flatten({ background: "white" });
    const { autoOrient: size, depth } = await photo.metadata();
    await requireBits(bytes, depth);
    const placed = place(size, [height, width], fit);
    const kernel = KERNELS[fit?.interpolation] ?? "cubic";
    const scaled = photo.resize(placed.width, placed.height, { fit: "fill", kernel, fastShrinkOnLoad: false });
    return await middle(scaled, placed, [height, width])
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer();
  } catch (error) {
    throw new Error(`${path} cannot be read as a picture (${error.message}): give a complete image file`);
  }
}

/** Refuses numbers that are no bytes once their upper 8 bits are kept, as `fgcompile explain` without a window does. */
async function requireBits(bytes, depth) {
  if (depth === "uchar") return;
  const most = depth === "ushort" ? Math.max(...(await sharp(bytes).stats()).channels.map(({ max }) => max)) : 0;
  if (4 * most < 65535) throw new Error(`its ${depth} numbers say no black and white: convert it to 8 bits`);
}

/** The artifact's part of a scaled photo; what lies beside that is filled up. */
function middle(scaled, { width: across, height: down, left, top, fill }, [height, width]) {
  const [x, y] = [Math.max(0, left), Math.max(0, top)];
  const kept = scaled.extract({ left: x, top: y, width: Math.min(width, across - x), height: Math.min(height, down - y) });
  if (left >= 0 && top >= 0) return kept;
  const [before, above] = [Math.max(0, -left), Math.max(0, -top)];
  const after = Math.max(0, width - before - across);
  const below = Math.max(0, height - above - down);
  const [r, g, b] = fill;
  return kept.extend({ left: before, right: after, top: above, bottom: below, background: { r, g, b } });
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
