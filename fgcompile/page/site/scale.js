/** What the colours of a map stand for: its values from the least to the greatest, or by magnitude about 0. */

const PERCENTILE = 0.995; // of the values, which becomes 1, so that one hot pixel dims nothing else

/**
 * The values that become 0 and 1, `{ low, high, signed }`: the minimum and the 99.5th percentile; of a signed map −1
 * and 1, that percentile of the magnitudes on both sides of 0, so that 0 stays 0.
 */
export function scaleOf(saliency, signed) {
  const sorted = Float64Array.from(saliency, signed ? Math.abs : Number).sort();
  const place = PERCENTILE * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const high = below + (place % 1) * (sorted[Math.ceil(place)] - below);
  if (signed) return { low: -(high || sorted.at(-1)), high: high || sorted.at(-1), signed };
  // Of fewer than 0.5 % of the pixels alight the greatest.
  return { low: sorted[0], high: high > sorted[0] ? high : sorted.at(-1), signed };
}

/** A map's values on a scale, in [0, 1]; of a signed one in [−1, 1]. */
export function strengthOf(saliency, { low, high, signed }) {
  if (high <= low) return new Float64Array(saliency.length);
  if (signed) return Float64Array.from(saliency, (value) => Math.max(-1, Math.min(1, value / high)));
  return Float64Array.from(saliency, (value) => Math.max(0, Math.min(1, (value - low) / (high - low))));
}

/** A number of a scale as people read it: to three digits, below 1 to two. */
export function numberOf(value) {
  const digits = Math.abs(value) < 1 ? 2 : 3;
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const plain = value === 0 || (exponent >= -4 && exponent < 6);
  const sign = exponent >= 10 ? "+" : "";
  const text = plain ? Number(`${mantissa}e${power}`) : `${Number(mantissa)}e${sign}${exponent}`;
  return String(text).replaceAll("-", "−");
}
