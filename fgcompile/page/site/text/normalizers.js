/** The normalizers of a `tokenizer.json` by type: functions of its settings that give a function of an `Aligned`. */

import { regexOf } from "./patterns.js";
import { precompiled } from "./precompiled.js";

// Ideographs, as BERT has them: its blocks, not all that Unicode calls so.
const IDEOGRAPH = new RegExp(
  "[\\u4e00-\\u9fff\\u3400-\\u4dbf\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b73f}\\u{2b740}-\\u{2b81f}" +
    "\\u{2b920}-\\u{2ceaf}\\uf900-\\ufaff\\u{2f800}-\\u{2fa1f}]",
  "u",
);
const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u;
const NONSPACING = /\p{Mn}/u;
const MARK = /\p{M}/u;
const SPACE = /\p{White_Space}/u;

export const NORMALIZERS = {
  BertNormalizer: (settings) => (text) => bert(text, settings),
  Lowercase: () => lowercase,
  NFC: () => (text) => text.normalize("NFC"),
  NFD: () => (text) => text.normalize("NFD"),
  NFKC: () => (text) => text.normalize("NFKC"),
  NFKD: () => (text) => text.normalize("NFKD"),
  Precompiled: ({ precompiled_charsmap: charsmap }) => precompiled(charsmap),
  Prepend: ({ prepend }) => (text) => text.prepend(prepend),
  Replace: ({ pattern, content }, library) => {
    const regex = regexOf(pattern, library);
    return (text) => text.replace(regex, content);
  },
  Sequence: ({ normalizers }, library) => {
    const steps = normalizers.map((each) => makeNormalizer(each, library));
    return (text) => steps.reduce((made, step) => step(made), text);
  },
  Strip: ({ strip_left: left, strip_right: right }) => (text) => strip(text, left, right),
  StripAccents: () => (text) => text.filter((char) => !MARK.test(char)),
};

export function makeNormalizer(settings, library) {
  return settings === null ? (text) => text : NORMALIZERS[settings.type](settings, library);
}

function bert(text, { clean_text: clean, handle_chinese_chars: apart, strip_accents: strip, lowercase: lower }) {
  let made = text;
  if (clean) made = made.filter((char) => !isDropped(char)).map((char) => (SPACE.test(char) ? " " : char));
  if (apart) made = spaceIdeographs(made);
  if (strip ?? lower) made = made.normalize("NFD").filter((char) => !NONSPACING.test(char));
  return lower ? lowercase(made) : made;
}

function isDropped(char) {
  if (char === "\t" || char === "\n" || char === "\r") return false;
  return char === "\0" || char === "\ufffd" || CONTROL.test(char);
}

function spaceIdeographs(text) {
  const changes = text.chars.flatMap((char) =>
    IDEOGRAPH.test(char)
      ? [
          [" ", 0],
          [char, 1],
          [" ", 1],
        ]
      : [[char, 0]],
  );
  return text.transform(changes);
}

/** Each character by itself: a sigma at the end of a word is one like all others. */
function lowercase(text) {
  return text.map((char) => char.toLowerCase());
}

function strip(text, left, right) {
  const kept = text.chars.map((char) => !SPACE.test(char));
  const from = left ? kept.indexOf(true) : 0;
  const to = right ? kept.lastIndexOf(true) + 1 : text.chars.length;
  return from === -1 ? text.slice(0, 0) : text.slice(from, to);
}
