/** An artifact that takes texts: its tokenizer, which of its inputs a text fills, and what its output is. */

import { classAxisOf, targetAxes } from "../targets.js";
import { fill, findInputs, idsOf } from "./inputs.js";
import { Tokenizer } from "./tokenizer.js";
import { isBlank } from "./words.js";

const MASKS = ["[MASK]", "<mask>"];

export class TextModel {
  /** `artifact` is as `readSealed` reads it, and `library` the package `@huggingface/tokenizers`. */
  constructor({ metadata, tokenizer }, library) {
    this.metadata = metadata;
    this.tokenizer = new Tokenizer(tokenizer, library);
    this.inputs = findInputs(metadata);
    this.axes = metadata.outputs.some(({ name }) => name === "logits") ? targetAxes(metadata) : [];
    this.classes = classAxisOf(this.axes, metadata.labels);
    const size = this.axes.length === 2 && this.classes !== undefined ? this.axes[this.classes].size : 0;
    /** Whether the classes of a place are the tokens of the vocabulary: a language model's. */
    this.writes = Number.isInteger(size) && size >= Math.max(2, this.tokenizer.size);
    this.mask = MASKS.map((name) => this.tokenizer.ids.get(name)).find((id) => id !== undefined);
    /** Whether two texts are compared, each with its own inputs or by its own call. */
    this.compares = this.inputs.texts.length > 1 || this.inputs.own.includes("query");
  }

  /** A text's tokens: of all segments together, or of each alone where they are compared. */
  encode(segments) {
    for (const segment of segments) {
      if (isBlank([segment])) throw new Error("a text is empty: give one with a word in it");
    }
    const wanted = this.inputs.texts.length > 1 ? this.inputs.texts.length : 2;
    if (this.compares && segments.length !== wanted) {
      throw new Error(`the artifact compares ${wanted} texts, and ${segments.length} is given: give both`);
    }
    const encoded = this.compares
      ? segments.map((segment) => this.tokenizer.encode([segment]))
      : [this.tokenizer.encode(segments)];
    if (encoded.some(({ pieces }) => pieces.every(({ segment }) => segment === null))) {
      throw new Error("the tokenizer makes no token of a text: give one with a word in it");
    }
    return encoded;
  }

  /** The inputs of a text by name; `encoded` has one for each of the artifact's texts. */
  feeds(encoded) {
    const { longest } = this.metadata.tokenizer;
    const { padding } = this.tokenizer;
    const feeds = this.inputs.texts.map((specs, i) => fill(specs, encoded[i].pieces, padding ?? undefined, longest));
    this.inputs.texts.forEach((specs, i) => requireKnown(idsOf(specs), encoded[i].pieces));
    return Object.assign({}, ...feeds);
  }

  /** The one token of a word. */
  tokenOf(word) {
    const tokens = this.tokenizer.encodeAlone(word);
    if (tokens.length === 1) return tokens[0].id;
    const known = this.tokenizer.ids.get(word);
    if (known !== undefined) return known;
    throw new Error(`'${word}' is ${tokens.length} tokens, and one is explained here: give one of them`);
  }
}

/** Refuses tokens that the model has no row for: the tokenizer is another model's. */
function requireKnown({ indexes = [] }, pieces) {
  const sizes = indexes.map(({ size }) => size).filter(Number.isInteger);
  const rows = sizes.length ? Math.min(...sizes) : Infinity;
  const unknown = pieces.find(({ id }) => id >= rows);
  if (!unknown) return;
  throw new Error(
    `the token '${unknown.text}' has the number ${unknown.id}, and the model knows ${rows}: the tokenizer is another ` +
      "model's, compile with its own",
  );
}
