/**
 * A map of characters as SentencePiece compiles it: a trie in an array of numbers (Darts'), and behind it the texts
 * that stand for what is found there, each ending in 0.
 */

const SHORT = 6; // bytes of a grapheme that is looked up as a whole
const UTF8 = new TextEncoder();
const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });

/** The normalizer of a charsmap, in base64: a function of an `Aligned`. */
export function precompiled(base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = view.getUint32(0, true);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = bytes.subarray(4 + size);
  const find = (part) => replacement(UTF8.encode(part), units, texts);
  return (text) => normalize(text, find);
}

function normalize(text, find) {
  const changes = [];
  for (const { segment } of GRAPHEMES.segment(text.text)) {
    const whole = UTF8.encode(segment).length < SHORT ? find(segment) : undefined;
    if (whole !== undefined) replace(changes, segment, whole);
    else {
      for (const char of segment) {
        const made = find(char);
        if (made === undefined) changes.push([char, 0]);
        else replace(changes, char, made);
      }
    }
  }
  return text.transform(changes);
}

/** The text of the shortest prefix that the trie has. */
function replacement(key, units, texts) {
  let node = offset(units[0]);
  for (const byte of key) {
    node ^= byte;
    const unit = units[node];
    if (byte === 0 || (unit & 0x800000ff) !== byte) return undefined;
    node ^= offset(unit);
    if (unit & 0x100) {
      const from = units[node] & 0x7fffffff;
      return new TextDecoder().decode(texts.subarray(from, texts.indexOf(0, from)));
    }
  }
  return undefined;
}

function offset(unit) {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** New characters in the place of others: what is too many is put in behind, what is too few is removed. */
function replace(changes, old, made) {
  const chars = Array.from(made);
  const more = chars.length - Array.from(old).length;
  chars.forEach((char, i) => changes.push([char, i >= chars.length - more ? 1 : 0]));
  if (more < 0 && changes.length) changes.at(-1)[1] += more;
}
