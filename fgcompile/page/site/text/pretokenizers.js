/** The pre-tokenizers of a `tokenizer.json` by type: functions of its settings that split an `Aligned` into several. */

import { regexOf } from "./patterns.js";

const SPACE = /\p{White_Space}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const NUMBER = /\p{N}/gu;
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}"; // of Rust's regular expressions
const WORDS = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu");
const BYTE_LEVEL = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const BYTES = makeBytes();
const UTF8 = new TextEncoder();

export const PRE_TOKENIZERS = {
  BertPreTokenizer: () => (text) =>
    text.split(SPACE, "Removed").flatMap((part) => part.split(PUNCTUATION, "Isolated")),
  ByteLevel: ({ add_prefix_space: prefix, use_regex: regex = true }, library) => {
    const pattern = regexOf({ Regex: BYTE_LEVEL }, library);
    return (text) => {
      const begun = prefix && !text.text.startsWith(" ") ? text.prepend(" ") : text;
      return (regex ? begun.split(pattern, "Isolated") : [begun]).map((part) =>
        part.map((char) => Array.from(UTF8.encode(char), (byte) => BYTES[byte])),
      );
    };
  },
  Digits: ({ individual_digits: alone }) => (text) => text.split(NUMBER, alone ? "Isolated" : "Contiguous"),
  Metaspace: ({ replacement, prepend_scheme: scheme, split = true }, library) => {
    const spaces = regexOf({ String: " " }, library);
    const pattern = regexOf({ String: replacement }, library);
    return (text) => {
      let made = text.replace(spaces, replacement);
      const wanted = scheme === "always" || (scheme === "first" && text.start === 0);
      if (wanted && !made.text.startsWith(replacement)) made = made.prepend(replacement);
      return split ? made.split(pattern, "MergedWithNext") : [made];
    };
  },
  Punctuation: ({ behavior = "Isolated" }) => (text) => text.split(PUNCTUATION, behavior),
  Sequence: ({ pretokenizers }, library) => {
    const steps = pretokenizers.map((each) => makePreTokenizer(each, library));
    return (text) => steps.reduce((parts, step) => parts.flatMap((part) => step(part)), [text]);
  },
  Split: ({ pattern, behavior, invert }, library) => {
    const regex = regexOf(pattern, library);
    return (text) => text.split(regex, behavior, invert);
  },
  Whitespace: () => (text) => text.split(WORDS, "Removed", true),
  WhitespaceSplit: () => (text) => text.split(SPACE, "Removed"),
};

export function makePreTokenizer(settings, library) {
  if (settings === null) return (text) => [text];
  const split = PRE_TOKENIZERS[settings.type](settings, library);
  return (text) => split(text).filter((part) => part.chars.length > 0);
}

/** The character that stands for each byte: itself where it is visible, else one behind Latin. */
function makeBytes() {
  const visible = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let hidden = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(visible(byte) ? byte : 256 + hidden++));
}
