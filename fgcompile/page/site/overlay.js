/** A map over its photo, in the colours of `fgcompile explain`. */

import { interpolateInferno } from "d3-scale-chromatic";
import { rgb } from "d3-color";
import { luma } from "./photo.js";

const PERCENTILE = 0.995;
const OPACITY = 0.92;
const CURVE = 0.65;
const TEXTURE = 0.2; // of the photo, in the brightest parts
const COOLEST = 0.18; // of the colormap, over a photo: what is darker would be a shadow on bright places
const WARMEST = 0.94; // its pale yellow end turns green on dark objects
const DIM = 0.75;
const MORE = [255, 140, 40];
const LESS = [90, 160, 255];
const COLOURS = Array.from({ length: 256 }, (_, step) => {
  const { r, g, b } = rgb(interpolateInferno(COOLEST + ((WARMEST - COOLEST) * step) / 255));
  return [r, g, b];
});

/** Scales a map to [0, 1]: its minimum to 0, its 99.5th percentile to 1, so that one hot pixel dims nothing else. */
export function normalise(saliency) {
  const sorted = Float64Array.from(saliency).sort();
  const place = PERCENTILE * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const low = sorted[0];
  let high = below + (place % 1) * (sorted[Math.ceil(place)] - below);
  if (high <= low) high = sorted.at(-1); // fewer than 0.5 % of the pixels alight
  return Float64Array.from(saliency, (value) => (high > low ? Math.min((value - low) / (high - low), 1) : 0));
}

/** Scales a signed map to [-1, 1] by the 99.5th percentile of its magnitude, so that 0 stays 0. */
export function normaliseSigned(saliency) {
  const sizes = Float64Array.from(saliency, Math.abs);
  const sorted = sizes.slice().sort();
  const place = PERCENTILE * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const most = below + (place % 1) * (sorted[Math.ceil(place)] - below) || sorted.at(-1) || 1;
  return Float64Array.from(saliency, (value) => Math.max(-1, Math.min(1, value / most)));
}

/**
 * Draws the coloured map over the photo in grey, so that all colour is the map's; of a signed map orange adds to the
 * score and blue takes from it.
 */
export function drawOverlay(canvas, photo, saliency, [height, width], signed) {
  if (signed) {
    drawSigned(canvas, photo, normaliseSigned(saliency), [height, width]);
    return;
  }
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(greyMap(normalise(saliency), width, height), 0, 0, canvas.width, canvas.height);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const below = photo.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 0; i < image.data.length; i += 4) {
    const grey = luma(below[i], below[i + 1], below[i + 2]);
    const colour = COLOURS[image.data[i]];
    blend(image.data, i, grey, colour, image.data[i] / 255);
  }
  context.putImageData(image, 0, 0);
}

function drawSigned(canvas, photo, strength, [height, width]) {
  canvas.width = photo.width;
  canvas.height = photo.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const signs = [1, -1].map((sign) => {
    context.drawImage(greyMap(strength.map((value) => Math.max(sign * value, 0)), width, height), 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  });
  const image = context.createImageData(canvas.width, canvas.height);
  const below = photo.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 0; i < image.data.length; i += 4) {
    const grey = luma(below[i], below[i + 1], below[i + 2]);
    const [hue, size] = signs[0][i] >= signs[1][i] ? [MORE, signs[0][i]] : [LESS, signs[1][i]];
    blend(image.data, i, grey, hue, size / 255);
    image.data[i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** Writes a pixel: `(1 - o) 0.75 g + o c (0.8 + 0.2 g / 255)`, with `o = 0.92 s^0.65`. */
function blend(data, i, grey, colour, strength) {
  const opacity = OPACITY * strength ** CURVE;
  for (let channel = 0; channel < 3; channel++) {
    const lit = colour[channel] * (1 - TEXTURE + (TEXTURE * grey) / 255);
    data[i + channel] = (1 - opacity) * DIM * grey + opacity * lit;
  }
}

function greyMap(strength, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  strength.forEach((value, place) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * place));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
