/** Photos as artifacts take them, uint8 (H, W, C), scaled and cropped as `fgcompile explain` does. */

import { Pica } from "pica";
import { requireBits } from "./depth.js";
import { place } from "./fit.js";

// Of pica's filters those nearest to Pillow's.
const FILTERS = { nearest: "box", box: "box", bilinear: "hamming", hamming: "hamming", lanczos: "lanczos3" };
const FILTER = "lanczos2"; // to bicubic
const SHOWN = [448, 1024]; // pixels of the shown photo's long side: at least, at most
const BEHIND = "white"; // what is transparent, as for `fgcompile explain`

/**
 * Reads a photo, turned upright: `{ pixels, canvas, part }`, the artifact's input; the whole photo to look at, filled up
 * as the input was; and where in it that input lies, `{ left, top, width, height }`.
 *
 * It is fitted as the artifact's metadata say, `fit`; where they say nothing a photo of exactly its size is taken as it
 * is, and any other scaled and cropped about its centre. A file of 16 bits per channel that leaves the upper ones unused is refused.
 */
export async function readPhoto(file, [height, width, channels], fit) {
  let photo;
  try {
    photo = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name} cannot be read as a picture: give a complete image file, e.g. JPEG or PNG`);
  }
  await requireBits(file, photo);
  const placed = place(photo, [height, width], fit);
  const filter = FILTERS[fit?.interpolation] ?? FILTER;
  const scaled = await scaleTo(photo, placed, filter);
  const seen = draw(scaled, fillOf(placed), { width, height }, [-placed.left, -placed.top]);
  return { pixels: toPixels(seen, channels), ...(await drawWhole(photo, placed, [height, width], filter)) };
}

/** Whether what the artifact was given is all that is shown. */
export function isWhole({ canvas, part }) {
  return part.width === canvas.width && part.height === canvas.height;
}

/** The brightness of a colour, ITU-R 601. */
export function luma(red, green, blue) {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

/** The photo to look at, and where the artifact's part lies in it, in whole pixels. */
async function drawWhole(photo, placed, [height, width], filter) {
  const long = Math.max(photo.width, photo.height);
  const factor = Math.min(Math.max(long, SHOWN[0]), SHOWN[1]) / long;
  const [shownWidth, shownHeight] = [photo.width, photo.height].map((side) => Math.max(1, Math.round(factor * side)));
  const size = { width: shownWidth, height: shownHeight };
  const [across, down] = [size.width / placed.width, size.height / placed.height];
  const left = Math.round(placed.left * across);
  const top = Math.round(placed.top * down);
  const part = {
    width: Math.round((placed.left + width) * across) - left,
    height: Math.round((placed.top + height) * down) - top,
  };
  const beside = [Math.max(0, -left), Math.max(0, -top)]; // filled up
  const whole = {
    width: beside[0] + Math.max(size.width, left + part.width),
    height: beside[1] + Math.max(size.height, top + part.height),
  };
  const canvas = draw(await scaleTo(photo, size, filter), fillOf(placed), whole, beside);
  return { canvas, part: { left: left + beside[0], top: top + beside[1], ...part } };
}

/** The photo in another size, with nothing transparent left: of its own it may be more than a canvas can hold. */
async function scaleTo(photo, { width, height }, filter) {
  const asItIs = width === photo.width && height === photo.height;
  const scaled = asItIs ? photo : await new Pica().resize(photo, makeCanvas(width, height), { filter });
  return draw(scaled, BEHIND, { width, height }, [0, 0]);
}

/** A canvas of a size and a colour with a picture on it. */
function draw(picture, colour, { width, height }, [left, top]) {
  const canvas = makeCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, left, top);
  return canvas;
}

function fillOf({ fill }) {
  return `rgb(${fill.join(" ")})`;
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
