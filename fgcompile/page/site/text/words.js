/**
 * Tokens grouped to words, by what stands in the text: tokenizers differ in what they call one.
 *
 * A word is a run of letters and digits, with apostrophes between them; any other character that is no space is one by
 * itself, and so is each character of a script that is written without spaces. Tokens that share a word belong
 * together, and so do words that share a token.
 */

// Thai, Lao, Myanmar, Khmer; kana, ideographs and their extensions. Hangul has spaces.
const UNSPACED =
  "\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff" +
  "\\u{20000}-\\u{3ffff}";
const BLANK = "\\p{White_Space}\\x1c-\\x1f";
const LETTER = `(?:(?![${UNSPACED}])[\\p{L}\\p{N}])`;
const WORD = new RegExp(`[${UNSPACED}]|${LETTER}+(?:['’]${LETTER}+)*|[^${BLANK}]`, "gu");
const BLANKS = new RegExp(`^[${BLANK}]*$`, "u");
const EDGES = new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, "gu");
const SPACE = -1;

/** The words of `{ texts, pieces }`, `{ pieces, segment, start, end }`, in the order of its tokens. */
export function groupWords({ texts, pieces }) {
  const words = texts.map(wordsByCharacter);
  const groups = [];
  let openTo; // the words that the last group has a part of
  let blanks = []; // tokens that are a space alone: they belong to the word behind them
  const close = () => {
    const near = groups.length && groups.at(-1).at(-1) + 1 === blanks[0];
    if (near) groups.at(-1).push(...blanks);
    else if (blanks.length) groups.push(blanks);
    blanks = [];
  };
  pieces.forEach(({ segment, start, end }, place) => {
    if (segment === null || (place && segment !== pieces[place - 1].segment)) {
      close();
      openTo = undefined;
    }
    if (segment === null) return;
    if (texts[segment].slice(start, end).every((char) => char === " ")) {
      blanks.push(place);
      return;
    }
    const own = new Set(words[segment].slice(start, end).filter((word) => word !== SPACE));
    if (openTo && [...own].some((word) => openTo.has(word))) {
      groups.at(-1).push(...blanks, place);
      openTo.forEach((word) => own.add(word));
    } else groups.push([...blanks, place]);
    openTo = own;
    blanks = [];
  });
  close();
  return groups.map((places) => makeGroup(places, texts, pieces));
}

function wordsByCharacter(chars) {
  const numbers = chars.map(() => SPACE);
  const places = chars.flatMap((char, place) => Array(char.length).fill(place));
  let number = 0;
  for (const match of chars.join("").matchAll(WORD)) {
    const from = places[match.index];
    numbers.fill(number++, from, from + Array.from(match[0]).length);
  }
  return numbers;
}

function makeGroup(places, texts, pieces) {
  const { segment } = pieces[places[0]];
  const chars = texts[segment];
  let start = Math.min(...places.map((place) => pieces[place].start));
  let end = Math.max(...places.map((place) => pieces[place].end));
  // Some tokens have the space in front of them; a word has not.
  if (!isBlank(chars.slice(start, end))) {
    while (isBlank([chars[start]])) start += 1;
    while (isBlank([chars[end - 1]])) end -= 1;
  }
  return { pieces: places, segment, start, end };
}

/** A text without the spaces about it, as Python strips them. */
export function strip(text) {
  return text.replace(EDGES, "");
}

/** Whether characters are nothing but spaces. */
export function isBlank(chars) {
  return BLANKS.test(chars.join(""));
}

/**
 * A segment from its first character to its last, in stretches `{ start, end, tokens }`; tokens that share a character
 * share one, and what lies between has none. `tokens` are the segment's own, `[place, piece]`, in order.
 */
export function runs(length, tokens) {
  const made = [];
  let open;
  let position = 0;
  for (const [place, { start, end }] of tokens) {
    if (open && (start < open.end || start === end)) {
      open.tokens.push(place);
      open.end = Math.max(open.end, end);
      continue;
    }
    if (open) position = open.end;
    const from = Math.max(start, position);
    if (position < from) made.push({ start: position, end: from, tokens: [] });
    position = from;
    open = { start: from, end, tokens: [place] };
    made.push(open);
  }
  if (open) position = open.end;
  if (position < length) made.push({ start: position, end: length, tokens: [] });
  return made;
}
