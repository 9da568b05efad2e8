/** A map over its photo, in the colours of `fgcompile explain`. */

import { interpolateInferno } from "d3-scale-chromatic";
import { rgb } from "d3-color";
import { luma } from "./photo.js";
import { strengthOf } from "./scale.js";

const OPACITY = 0.92;
const CURVE = 0.65;
const TEXTURE = 0.2; // of the photo, in the brightest parts
const COOLEST = 0.18; // of the colormap, over a photo: what is darker would be a shadow on bright places
const WARMEST = 0.94; // its pale yellow end turns green on dark objects
const DIM = 0.75;
const MIDDLE_GREY = 128;
const MORE = [255, 140, 40];
const LESS = [90, 160, 255];
const COLOURS = Array.from({ length: 256 }, (_, step) => {
  const { r, g, b } = rgb(interpolateInferno(COOLEST + ((WARMEST - COOLEST) * step) / 255));
  return [r, g, b];
});

/**
 * Draws the coloured map over the photo in grey, so that all colour is the map's; of a signed map orange adds to the
 * score and blue takes from it. The photo is as `readPhoto` gives it, the scale as `scaleOf`. The map lies where the
 * model looked; around it there is the photo in grey.
 */
export function drawOverlay(canvas, photo, saliency, shape, scale) {
  const { width, height } = photo.canvas;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const strength = strengthOf(saliency, scale);
  const adds = spread(context, strength, shape, photo.part);
  const takes = scale.signed ? spread(context, strength.map((value) => -value), shape, photo.part) : undefined;
  const image = context.createImageData(width, height);
  const below = photo.canvas.getContext("2d").getImageData(0, 0, width, height).data;
  for (let i = 0; i < image.data.length; i += 4) {
    const grey = luma(below[i], below[i + 1], below[i + 2]);
    const less = takes !== undefined && takes[i] > adds[i];
    const colour = takes === undefined ? COLOURS[adds[i]] : less ? LESS : MORE;
    blend(image.data, i, grey, colour, (less ? takes[i] : adds[i]) / 255);
    image.data[i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** A map's positive values in a byte of each pixel, over its part of a picture as large as the context's. */
function spread(context, strength, [height, width], part) {
  const { width: across, height: down } = context.canvas;
  context.clearRect(0, 0, across, down);
  context.drawImage(greyMap(strength, width, height), part.left, part.top, part.width, part.height);
  return context.getImageData(0, 0, across, down).data;
}

/** Draws the colours of a scale from one end to the other, as they are over a middle grey. */
export function drawBar(canvas, { signed }) {
  const steps = canvas.width;
  const image = new ImageData(steps, 1);
  for (let step = 0; step < steps; step++) {
    const strength = signed ? (2 * step) / (steps - 1) - 1 : step / (steps - 1);
    const colour = signed ? (strength >= 0 ? MORE : LESS) : COLOURS[Math.round(255 * strength)];
    blend(image.data, 4 * step, MIDDLE_GREY, colour, Math.abs(strength));
    image.data[4 * step + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Writes a pixel: `(1 - o) 0.75 g + o c (0.8 + 0.2 g / 255)`, with `o = 0.92 s^0.65`. */
function blend(data, i, grey, colour, strength) {
  const opacity = OPACITY * strength ** CURVE;
  for (let channel = 0; channel < 3; channel++) {
    const lit = colour[channel] * (1 - TEXTURE + (TEXTURE * grey) / 255);
    data[i + channel] = (1 - opacity) * DIM * grey + opacity * lit;
  }
}

/** Strengths as grey pixels; what is below 0 is black. */
function greyMap(strength, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  strength.forEach((value, place) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * place));
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
