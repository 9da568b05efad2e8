/**
 * Texts as their tokens: a `tokenizer.json` read as the library `tokenizers` reads it, with the characters that each
 * token came from.
 *
 * The npm package `@huggingface/tokenizers` knows the models, but neither these characters nor all that its namesake
 * makes of odd ones; what comes before the models is therefore here. It imports nothing of npm's.
 */

import { Aligned } from "./aligned.js";
import { MODELS } from "./models.js";
import { makeNormalizer } from "./normalizers.js";
import { escape } from "./patterns.js";
import { makePostProcessor } from "./postprocessors.js";
import { makePreTokenizer } from "./pretokenizers.js";
import { TOO_NEW } from "./unicode.js";
import { strip } from "./words.js";

const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_BEHIND = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACES_BEFORE = /\p{White_Space}*$/u;
const SPACES_BEHIND = /^\p{White_Space}*/u;

/** A tokenizer; `library` is the package `@huggingface/tokenizers`. */
export class Tokenizer {
  constructor(json, library) {
    const settings = JSON.parse(json);
    this.padding = settings.padding && [settings.padding.pad_id, settings.padding.pad_type_id ?? 0];
    this.normalize = makeNormalizer(settings.normalizer, library);
    this.preTokenize = makePreTokenizer(settings.pre_tokenizer, library);
    this.model = MODELS[settings.model.type](settings.model, library);
    this.postProcess = makePostProcessor(settings.post_processor);
    this.decoder = settings.decoder && new library.SequenceDecoder({ decoders: [settings.decoder] });
    this.readVocabulary(settings);
  }

  readVocabulary({ model, added_tokens: added }) {
    const { vocab } = model;
    const entries = Array.isArray(vocab) ? vocab.map(([text], id) => [text, id]) : Object.entries(vocab);
    this.size = entries.length;
    /** The id of the token for what is not in the vocabulary. */
    this.unknown = model.unk_id ?? (Array.isArray(vocab) ? undefined : vocab[model.unk_token]);
    this.ids = new Map([...entries, ...added.map(({ content, id }) => [content, id])]);
    this.names = new Map(entries.map(([text, id]) => [id, text]));
    for (const { content, id } of added) this.names.set(id, content);
    this.special = new Set(added.filter((token) => token.special).map(({ id }) => id));
    const normal = added.filter((token) => token.normalized);
    this.given = finder(added.filter((token) => !token.normalized).map((token) => [token.content, token]));
    this.normalized = finder(normal.map((token) => [this.normalize(Aligned.of(token.content)).text, token]));
  }

  /** The tokens of one or two texts, and what is added: `{ texts, pieces }`, the texts as lists of characters. */
  encode(texts) {
    texts.forEach(requireKnown);
    const segments = texts.map((text, segment) =>
      this.tokens(text).map((token) => ({ ...token, segment, typeId: segment })),
    );
    return { texts: texts.map((text) => Array.from(text)), pieces: this.postProcess(segments) };
  }

  /** A text's own tokens, as `tokens` makes them, once it is known that the text can be read. */
  encodeAlone(text) {
    requireKnown(text);
    return this.tokens(text);
  }

  /** A text's own tokens, `{ id, text, start, end }`. */
  tokens(text) {
    return splitAdded(Aligned.of(text), this.given).flatMap(({ part, token }) =>
      token
        ? [whole(part, token)]
        : splitAdded(this.normalize(part), this.normalized).flatMap((each) =>
            each.token
              ? [whole(each.part, each.token)]
              : this.preTokenize(each.part).flatMap((word) => this.tokensOfWord(word)),
          ),
    );
  }

  tokensOfWord(word) {
    return this.model(word.text).map(({ id, text, from, to }) => {
      const [start, end] = word.span(from, to);
      return { id, text, start, end };
    });
  }

  /** A token of the vocabulary as it is read, without the spaces about it; of one that is no text its name. */
  tokenName(id) {
    const name = this.names.get(id);
    if (name === undefined || this.special.has(id)) return name ?? `token ${id}`;
    return strip(this.decoder ? this.decoder.decode([name]) : name) || name;
  }
}

function requireKnown(text) {
  if (!text.isWellFormed()) throw new Error("a text is not Unicode (it has half of a surrogate pair): mend it");
  const [char] = TOO_NEW.exec(text) ?? [];
  if (char === undefined) return;
  const number = char.codePointAt(0).toString(16).toUpperCase();
  throw new Error(`a text has ${char} (U+${number}), which tokenizers may read otherwise than this page: leave it out`);
}

/** What finds added tokens: of those that begin at a place the longest; `[text, token]` each. */
function finder(tokens) {
  const found = new Map(tokens.filter(([text]) => text));
  const longest = [...found.keys()].sort((a, b) => b.length - a.length);
  return { found, pattern: longest.length ? new RegExp(longest.map(escape).join("|"), "gu") : undefined };
}

/** A text in parts, `{ part, token }`: added tokens, with the spaces that belong to them, and what lies between. */
function splitAdded(text, { found, pattern }) {
  const parts = [];
  let last = 0;
  const between = (to) => last < to && parts.push({ part: text.slice(last, to) });
  for (const [from, to, matched] of pattern ? text.parts(pattern) : []) {
    if (!matched) continue;
    const token = found.get(text.chars.slice(from, to).join(""));
    const [before, behind] = [text.chars.slice(0, from).join(""), text.chars.slice(to).join("")];
    if (token.single_word && (WORD_BEFORE.test(before) || WORD_BEHIND.test(behind))) continue;
    const begin = token.lstrip ? Math.max(from - length(SPACES_BEFORE.exec(before)[0]), last) : from;
    const end = token.rstrip ? to + length(SPACES_BEHIND.exec(behind)[0]) : to;
    between(begin);
    parts.push({ part: text.slice(begin, end), token });
    last = end;
  }
  between(text.chars.length);
  return parts;
}

function whole(part, { id }) {
  const [start, end] = part.span(0, part.chars.length);
  return { id, text: part.text, start, end };
}

function length(text) {
  return Array.from(text).length;
}
