/** An explained text as elements of the page: its characters all in order and once, so that it can be copied. */

import { runs } from "./words.js";

const UNKNOWN = "unknown to the vocabulary"; // said of characters for which there is one token, whatever they are

/** A score as it is read, to three digits: with its sign, if it has one. */
export function numberOf(score, signed) {
  const sign = score < 0 ? "−" : signed ? "+" : "";
  return sign + threeDigits(Math.abs(score)).replace("-", "−");
}

/** As Python writes `.3g`. */
function threeDigits(size) {
  const [digits, exponent] = size.toExponential(2).split("e");
  if (exponent >= -4 && exponent < 3) return String(Number(size.toPrecision(3)));
  return `${Number(digits)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** What the strongest colour stands for: the largest token, special ones, which may be far above, left aside. */
export function scaleOf({ tokens }) {
  const most = Math.max(0, ...tokens.map(({ segment, score }) => (segment === null ? 0 : Math.abs(score))));
  return { most, strength: (score) => (most > 0 ? Math.min(1, Math.abs(score) / most) : 0) };
}

// Control characters, what ends a line in Unicode, and what turns the direction of writing.
const INVISIBLE = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u061c\u200e\u200f]/g;
const NAMED = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text in one line: what would end the line or turn it is shown as its escape. */
export function visible(text) {
  return text.replace(INVISIBLE, (char) => {
    const number = char.charCodeAt(0).toString(16);
    return NAMED[char] ?? (number.length > 2 ? `\\u${number.padStart(4, "0")}` : `\\x${number.padStart(2, "0")}`);
  });
}

/** The segments, a paragraph each; `onWord` is called with the place of a word that is clicked. */
export function drawTexts(explanation, onWord) {
  const scale = scaleOf(explanation);
  return explanation.texts.map((_, segment) => {
    // A text may be of a script that is written from the right: each by itself, whatever the page is.
    const paragraph = Object.assign(document.createElement("p"), { className: "text", dir: "auto" });
    paragraph.append(...drawSegment(explanation, segment, scale, onWord));
    return paragraph;
  });
}

function drawSegment(explanation, segment, scale, onWord) {
  const drawn = [];
  let last; // the word of the stretch before, and its element
  for (const part of stretches(explanation, segment)) {
    if (part.word === undefined) drawn.push(span("", part.text));
    else {
      if (last?.word !== part.word) {
        last = { word: part.word, element: wordElement(explanation, part.word, scale) };
        last.element.onclick = () => onWord(part.word);
        drawn.push(last.element);
      }
      last.element.append(tokenElement(explanation, part, scale));
    }
    if (part.word === undefined) last = undefined;
  }
  return drawn;
}

/** A segment in stretches of characters that are shown together: `{ text, tokens, word, score }`. */
export function stretches({ texts, tokens, words }, segment) {
  const wordOf = new Map(words.flatMap((word, number) => word.tokens.map((place) => [place, number])));
  const own = [...tokens.entries()].filter(([, token]) => token.segment === segment);
  return runs(texts[segment].length, own).map(({ start, end, tokens: places }) => ({
    text: texts[segment].slice(start, end).join(""),
    tokens: places,
    word: wordOf.get(places.at(-1)),
    score: places.reduce((sum, place) => sum + tokens[place].score, 0),
  }));
}

function wordElement({ signed, tokens, words }, number, scale) {
  const word = words[number];
  const element = coloured(word.tokens.length > 1 ? "w several" : "w", "", word.score, scale);
  const note = word.tokens.length === 1 ? noteOn(word.tokens, tokens) : "";
  element.title = wordTitle(word, signed) + note;
  return element;
}

function tokenElement({ signed, tokens, words }, part, scale) {
  const note = noteOn(part.tokens, tokens);
  const element = coloured(note ? "t unknown" : "t", part.text, part.score, scale);
  if (words[part.word].tokens.length > 1) {
    const names = part.tokens.map((place) => tokens[place].piece).join(" ");
    const whole = wordTitle(words[part.word], signed);
    element.title = `${visible(names)}: ${numberOf(part.score, signed)} of ${whole}${note}`;
  }
  return element;
}

/** What is to be said of tokens that stand for anything. */
function noteOn(places, tokens) {
  return places.some((place) => tokens[place].unknown) ? `, ${UNKNOWN}` : "";
}

function wordTitle(word, signed) {
  return `${visible(word.text)}: ${numberOf(word.score, signed)}`;
}

function coloured(kind, text, score, scale) {
  const element = span(`${kind} ${score >= 0 ? "more" : "less"}`, text);
  element.style.setProperty("--s", scale.strength(score).toFixed(3));
  return element;
}

/** What a word adds, and each of its tokens. */
export function describeWord({ signed, tokens, words }, number) {
  const word = words[number];
  const parts = word.tokens.map((place) => `${visible(tokens[place].piece)} ${numberOf(tokens[place].score, signed)}`);
  return wordTitle(word, signed) + (parts.length > 1 ? ` = ${parts.join(", ")}` : "") + noteOn(word.tokens, tokens);
}

/** The tokens that the tokenizer added, which are no part of the text. */
export function drawAdded(explanation) {
  const scale = scaleOf(explanation);
  const added = explanation.tokens.filter(({ segment }) => segment === null);
  const shown = ({ text, score }) =>
    coloured("t", `${visible(text)} ${numberOf(score, explanation.signed)}`, score, scale);
  return added.length ? ["added by the tokenizer: ", ...added.map(shown)] : [];
}

/** The scale in numbers, and what its colours mean. */
export function drawLegend(explanation) {
  const { signed, tokens } = explanation;
  const { most } = scaleOf(explanation);
  const bar = span(signed ? "bar signed" : "bar", "");
  for (const end of signed ? [-most, 0, most] : [0, most]) bar.append(span("", numberOf(end, signed && end !== 0)));
  const total = numberOf(tokens.reduce((sum, { score }) => sum + score, 0), true);
  const words = signed
    ? `blue takes from the score, orange adds to it; all tokens together: ${total}`
    : "the stronger, the more it matters";
  const marked = tokens.some(({ unknown }) => unknown) ? [span("unknown", UNKNOWN)] : [];
  return [bar, span("", words), ...marked];
}

/** The rows of a table: word, sum, tokens. */
export function drawNumbers({ signed, tokens, words }) {
  const cell = (kind, text, name = "") =>
    Object.assign(document.createElement(kind), { textContent: text, className: name });
  const row = (...cells) => {
    const made = document.createElement("tr");
    made.append(...cells);
    return made;
  };
  const parts = ({ tokens: places }) => {
    const each = places.map((place) => `${visible(tokens[place].piece)} ${numberOf(tokens[place].score, signed)}`);
    return [...(places.length > 1 ? each : []), ...(noteOn(places, tokens) ? [UNKNOWN] : [])].join("  ");
  };
  return [
    row(...["word", "sum", "tokens"].map((name) => cell("th", name))),
    ...words.map((word) =>
      row(
        cell("td", visible(word.text)),
        cell("td", numberOf(word.score, signed), "number"),
        cell("td", parts(word)),
      ),
    ),
  ];
}

function span(name, text) {
  return Object.assign(document.createElement("span"), { className: name, textContent: text });
}
