/**
 * How a photo of any size becomes one of an artifact's, as its metadata say: scaled, then its middle.
 *
 * Both the page and `examples/node` use it; it imports nothing.
 */

const KEPT = 224 / 256; // of the short side, where the metadata say nothing: the usual evaluation crop of ImageNet

/**
 * Where an artifact's picture lies in a scaled photo.
 *
 * `size` is the photo's `{ width, height }`, `fit` the metadata's `preprocess.fit`, if there is one. Returns the scaled
 * photo's `{ width, height }` and the `left` and `top` of the picture in it, negative where it begins beside the photo,
 * on `fill`.
 */
export function place(size, [height, width], fit = {}) {
  const { mode = "crop", resize, rounding = "even", fill = [0, 0, 0] } = fit;
  if (mode === "crop" && !resize) return { ...placeByDefault(size, [height, width]), fill };
  const scaled = scale(size, resize ?? [height, width], mode);
  const left = half(scaled.width - width, rounding);
  const top = half(scaled.height - height, rounding);
  return { ...scaled, left, top, fill };
}

function placeByDefault(size, [height, width]) {
  const kept = size.width === width && size.height === height ? 1 : KEPT;
  const factor = Math.max(width / size.width, height / size.height) / kept;
  const left = Math.round((factor * size.width - width) / 2);
  const top = Math.round((factor * size.height - height) / 2);
  return { width: width + 2 * left, height: height + 2 * top, left, top }; // whole pixels on either side
}

function scale({ width, height }, [toHeight, toWidth], mode) {
  if (mode === "squash") return { width: toWidth, height: toHeight };
  if (mode === "crop" && toHeight === toWidth) {
    const longer = Math.floor((toWidth * Math.max(width, height)) / Math.min(width, height));
    return width <= height ? { width: toWidth, height: longer } : { width: longer, height: toWidth };
  }
  const ratio = (mode === "crop" ? Math.min : Math.max)(height / toHeight, width / toWidth);
  return { width: Math.max(1, Math.round(width / ratio)), height: Math.max(1, Math.round(height / ratio)) };
}

function half(pixels, rounding) {
  if (pixels < 0) return -Math.floor(-pixels / 2);
  const low = Math.floor(pixels / 2);
  return pixels % 2 && rounding === "even" && low % 2 ? low + 1 : low;
}
