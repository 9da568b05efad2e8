/** Scores of how likely a continuation is: the text with it behind, and the inputs that such a score has of its own. */

import { nextPlace } from "./questions.js";

const PREDICTED = -1;

/** Whether a score takes a continuation, `"needed"` or `"allowed"`; else undefined. */
export function continuationOf({ inputs: { own } }) {
  if (own.includes("tokens")) return "needed";
  return own.includes("token") ? "allowed" : undefined;
}

/** The text that the model is given: where the score takes a continuation's tokens, these are its last. */
export function withContinuation(model, segments, continuation) {
  if (continuationOf(model) !== "needed") return segments;
  if (!continuation) throw new Error("the artifact explains how likely a continuation is: give one");
  if (segments.length !== 1) throw new Error("a text with a continuation has one segment");
  const before = model.tokenizer.encode(segments).pieces;
  if (before.at(-1)?.segment === null) {
    throw new Error(`the tokenizer ends a text in ${before.at(-1).text}, behind which nothing comes`);
  }
  const whole = segments[0] + continuation;
  const after = model.tokenizer.encode([whole]).pieces;
  if (before.some(({ id }, place) => after[place]?.id !== id)) {
    throw new Error(
      `the tokens of the text are others when '${continuation}' stands behind it: begin the continuation where a ` +
        "token begins, as with a space",
    );
  }
  return [whole];
}

/** The score's own inputs for a text, its continuation included, `{ type, data, dims }` by name. */
export function scoreFeeds(model, encoded, continuation) {
  const feeds = {};
  const give = (name, data, dims) => (feeds[name] = { type: specOf(model, name).dtype, data, dims });
  const { own } = model.inputs;
  if (own.includes("tokens")) {
    const added = addedTokens(encoded, continuation);
    const count = specOf(model, "tokens").shape[1];
    if (Number.isInteger(count) && count !== added.length) {
      throw new Error(
        `the continuation is ${added.length} tokens, the artifact takes ${count}: give another, or compile with ` +
          `Continuation(${added.length})`,
      );
    }
    give("tokens", added, [1, added.length]);
  }
  if (own.includes("position")) give("position", [nextPlace(model, encoded)], [1]);
  if (own.includes("token")) give("token", [continuation ? model.tokenOf(continuation) : PREDICTED], [1]);
  return feeds;
}

/** The same inputs of no text in particular. */
export function blankScoreFeeds(model) {
  const sizes = ({ shape }) => shape.slice(1).map((size) => (Number.isInteger(size) ? size : 1));
  return Object.fromEntries(
    model.inputs.own.map((name) => {
      const spec = specOf(model, name);
      const dims = [1, ...sizes(spec)];
      const data = Array(dims.reduce((product, size) => product * size)).fill(0);
      return [name, { type: spec.dtype, data, dims }];
    }),
  );
}

function specOf({ metadata }, name) {
  return metadata.inputs.find((spec) => spec.name === name);
}

/** The tokens behind the text. */
function addedTokens({ texts, pieces }, continuation) {
  const begin = texts[0].length - Array.from(continuation).length;
  return pieces.filter(({ segment, end }) => segment !== null && end > begin).map(({ id }) => id);
}
