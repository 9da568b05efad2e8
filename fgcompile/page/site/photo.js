/** Photos as artifacts take them, uint8 (H, W, C), scaled and cropped as `fgcompile explain` does. */

import { Pica } from "pica";
import { place } from "./fit.js";

// Of pica's filters those nearest to Pillow's.
const FILTERS = { nearest: "box", box: "box", bilinear: "hamming", hamming: "hamming", lanczos: "lanczos3" };
const FILTER = "lanczos2"; // to bicubic
const SHOWN = 448; // pixels of the shown photo's long side, at least

/**
 * Reads a photo, turned upright: `{ pixels, canvas }`, the artifact's input and the same crop, larger, to look at.
 *
 * It is fitted as the artifact's metadata say, `fit`; where they say nothing a photo of exactly its size is taken as it
 * is, and any other scaled and cropped about its centre.
 */
export async function readPhoto(file, [height, width, channels], fit) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name} cannot be read as a picture: give a complete image file, e.g. JPEG or PNG`);
  }
  const placed = place(bitmap, [height, width], fit);
  const filter = FILTERS[fit?.interpolation] ?? FILTER;
  const canvas = await crop(bitmap, placed, [height, width], filter, Math.ceil(SHOWN / Math.max(width, height)));
  const pixels = toPixels(await crop(bitmap, placed, [height, width], filter, 1), channels);
  return { pixels, canvas };
}

/** The brightness of a colour, ITU-R 601. */
export function luma(red, green, blue) {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** What the artifact takes of a picture, `enlarged` times as large. */
async function crop(bitmap, placed, [height, width], filter, enlarged) {
  const size = [enlarged * placed.width, enlarged * placed.height];
  const asItIs = size[0] === bitmap.width && size[1] === bitmap.height;
  const scaled = asItIs ? bitmap : await new Pica().resize(bitmap, makeCanvas(...size), { filter });
  const canvas = makeCanvas(enlarged * width, enlarged * height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = `rgb(${placed.fill.join(" ")})`;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(scaled, -enlarged * placed.left, -enlarged * placed.top);
  return canvas;
}

function makeCanvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

function toPixels(canvas, channels) {
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint8Array(height * width * channels);
  for (let place = 0; place < height * width; place++) {
    const [red, green, blue] = data.subarray(4 * place);
    if (channels === 3) pixels.set([red, green, blue], 3 * place);
    else pixels[place] = Math.round(luma(red, green, blue));
  }
  return pixels;
}
