/** Photos as artifacts take them, uint8 (H, W, C), scaled and cropped as `fgcompile explain` does. */

import { Pica } from "pica";

// Of the short side, 224 of 256 parts are kept: the usual evaluation crop of ImageNet.
const KEPT = 224 / 256;
const FILTER = "lanczos2"; // of pica's filters the one nearest to Pillow's bicubic
const SHOWN = 448; // pixels of the shown photo's long side, at least

/**
 * Reads a photo, turned upright: `{ pixels, canvas }`, the artifact's input and the same crop, larger, to look at.
 *
 * A photo of exactly the artifact's size is taken as it is. Any other is scaled and cropped about its centre.
 */
export async function readPhoto(file, [height, width, channels]) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name} cannot be read as a picture: give a complete image file, e.g. JPEG or PNG`);
  }
  const kept = bitmap.width === width && bitmap.height === height ? 1 : KEPT;
  const enlarged = Math.ceil(SHOWN / Math.max(width, height));
  const canvas = await crop(bitmap, kept, enlarged * width, enlarged * height);
  const pixels = toPixels(await crop(bitmap, kept, width, height), channels);
  return { pixels, canvas };
}

/** The brightness of a colour, ITU-R 601. */
export function luma(red, green, blue) {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** The middle of a picture, at width × height: all of it in one direction, but for what is not kept. */
async function crop(bitmap, kept, width, height) {
  const scale = Math.max(width / bitmap.width, height / bitmap.height) / kept;
  const left = Math.round((scale * bitmap.width - width) / 2);
  const top = Math.round((scale * bitmap.height - height) / 2);
  const size = [width + 2 * left, height + 2 * top]; // whole pixels on either side
  const asItIs = size[0] === bitmap.width && size[1] === bitmap.height;
  const scaled = asItIs ? bitmap : await new Pica().resize(bitmap, makeCanvas(...size), { filter: FILTER });
  const canvas = makeCanvas(width, height);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(scaled, -left, -top);
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
