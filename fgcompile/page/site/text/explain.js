/** From a text to what the model says of it, and which of its words say so: `Session.explain_text` in a browser. */

import { blankScoreFeeds, scoreFeeds, withContinuation } from "./continuations.js";
import { blankPieces, idsOf, lengthOf, tensorOf } from "./inputs.js";
import { chooseElement, elementName, scoreAt } from "./questions.js";
import { groupWords } from "./words.js";

const SIGNED = "signed"; // the ψ whose map has signs
const PREDICTED = -1;
const TINY = 1e-30;

/**
 * The function that explains a text: `explain(segments, wish)`, with a `TextModel`, and the runtime's session and
 * `Tensor`. What is wished is as `chooseElement` takes it.
 *
 * Returns what `explain_text` does: `{ texts, tokens, words, target, name, score, signed, padding, residual }`, the
 * text as `encoded`, its `logits`, and the `milliseconds` of the calls.
 */
export function makeExplainText(model, session, Tensor) {
  const { metadata } = model;
  const asks = metadata.target === "input";
  const call = makeCall(model, session, Tensor);

  async function predict(feeds) {
    const { logits } = await call(feeds, undefined, false);
    return { data: logits.data, sizes: logits.dims.slice(1) };
  }

  /** What is asked for; where a text has one class, −1, the predicted one, is known by the call that explains it. */
  async function elementOf(feeds, encoded, wish) {
    if (model.axes.length > 1) return chooseElement(model, encoded, wish, await predict(feeds));
    return wish?.kind === undefined ? undefined : [wish.kind];
  }

  async function compare(encoded) {
    const feeds = encoded.map((each) => model.feeds([each]));
    const vectors = [];
    for (const each of feeds) vectors.push((await predict({ ...each, ...queryOf(metadata) })).data);
    const parts = [];
    for (const [i, each] of feeds.entries()) {
      const found = await call({ ...each, ...queryOf(metadata, vectors[1 - i]) }, undefined, true);
      parts.push(scored(model, encoded[i], mapOf(model, model.inputs.texts[0], found)));
    }
    const [first, second] = vectors.map((vector) => Array.from(vector));
    const score = dot(first, second) / Math.max(Math.sqrt(dot(first, first)) * Math.sqrt(dot(second, second)), TINY);
    return { ...joined(parts), name: "similarity", score };
  }

  async function ask(encoded, wish) {
    const feeds = { ...model.feeds(encoded), ...scoreFeeds(model, encoded[0], wish?.continuation) };
    requireOwnPlaces(model, feeds, encoded);
    const element = asks ? await elementOf(feeds, encoded[0], wish) : undefined;
    const found = await call(feeds, element, true);
    const logits = found.logits && { data: found.logits.data, sizes: found.logits.dims.slice(1) };
    const target = element ?? fixedElement(model, encoded[0], logits);
    const parts = model.inputs.texts.map((specs, i) => scored(model, encoded[i], mapOf(model, specs, found)));
    return {
      ...joined(parts),
      target,
      logits,
      name: target ? elementName(model, target, encoded[0]) : wish?.continuation || (model.metadata.score ?? "score"),
      score: target ? scoreAt(logits, target) : sumOf(found),
      residual: found.residual?.data[0],
    };
  }

  return async function explain(segments, wish) {
    const encoded = model.encode(withContinuation(model, segments, wish?.continuation));
    const start = performance.now();
    const found = model.inputs.own.includes("query") ? await compare(encoded) : await ask(encoded, wish);
    return { ...found, encoded: encoded[0], milliseconds: performance.now() - start };
  };
}

/** One run of an artifact: all that it returns, or of a text that is not explained the logits alone. */
function makeCall(model, session, Tensor) {
  const { metadata } = model;
  const returned = metadata.outputs.map(({ name }) => name);
  return async (feeds, element, explained) => {
    const given = { ...feeds };
    if (metadata.target === "input") {
      const form = model.axes.length;
      const dims = form > 1 ? [1, form] : [1];
      given.target = { type: "int64", data: element ?? Array(form).fill(PREDICTED), dims };
    }
    if (metadata.on_demand) given.explain = { type: "bool", data: [explained], dims: [] };
    const tensors = Object.entries(given).map(([name, value]) => [name, tensorOf(value, Tensor)]);
    return session.run(Object.fromEntries(tensors), explained ? returned : ["logits"]);
  };
}

/** Runs an artifact once on no text in particular, since the first run is slower than the others. */
export async function warmUpText(model, session, Tensor) {
  const feeds = model.feeds(model.inputs.texts.map((specs) => ({ pieces: blankPieces(specs) })));
  await makeCall(model, session, Tensor)({ ...feeds, ...blankScoreFeeds(model) }, undefined, true);
}

/** Refuses to pad where the artifact chooses among places by itself: it may choose a pad. */
function requireOwnPlaces(model, feeds, encoded) {
  const { outputs, target } = model.metadata;
  if (target === "input" || outputs.some(({ name, shape }) => name === "logits" && shape.length === 2)) return;
  model.inputs.texts.forEach((specs, i) => {
    const { length } = encoded[i].pieces;
    if (feeds[idsOf(specs).name].data.length === length) return;
    throw new Error(
      `a text has ${length} tokens, the artifact takes ${lengthOf(specs)}, and what it explains may lie on pads: give ` +
        "a text of as many, or compile with dynamic_sizes=True",
    );
  });
}

/** The input that a text's embedding is compared with; by default 0. */
function queryOf({ inputs }, vector) {
  const { dtype, shape } = inputs.find(({ name }) => name === "query");
  return { query: { type: dtype, data: vector ?? Array(shape[1]).fill(0), dims: [1, shape[1]] } };
}

/** What an artifact explains that is not asked; undefined of a score. */
function fixedElement(model, encoded, logits) {
  const { target } = model.metadata;
  if (Number.isInteger(target)) return [target];
  return target === "input" || target === "predicted" ? chooseElement(model, encoded, {}, logits) : undefined;
}

/** The map of a text: the sum over its inputs that have one. */
function mapOf({ metadata }, specs, found) {
  const returned = new Set(metadata.outputs.map(({ name }) => name));
  const first = metadata.inputs.find(({ name }) => !returned.has(`saliency.${name}`)).name;
  const mapName = (name) => (name === first ? "saliency" : `saliency.${name}`);
  const maps = Object.values(specs).flatMap(({ name }) => found[mapName(name)] ?? []);
  return Array.from(maps[0].data, (_, place) => maps.reduce((sum, { data }) => sum + data[place], 0));
}

function scored({ metadata, tokenizer }, encoded, scores) {
  if (!scores.every(Number.isFinite)) {
    throw new Error("the map of a text has values that are NaN or infinite: the model's numbers overflow for it");
  }
  const { texts, pieces } = encoded;
  const characters = ({ segment, start, end }) => texts[segment].slice(start, end).join("");
  const tokens = pieces.map((piece, place) => ({
    ...piece,
    piece: piece.text,
    text: piece.segment === null ? piece.text : characters(piece),
    score: scores[place],
    unknown: piece.segment !== null && piece.id === tokenizer.unknown,
  }));
  const words = groupWords(encoded).map((group) => ({
    ...group,
    text: characters(group),
    tokens: group.pieces,
    score: group.pieces.reduce((sum, place) => sum + tokens[place].score, 0),
  }));
  const padding = scores.slice(pieces.length).reduce((sum, score) => sum + Math.abs(score), 0);
  return { texts, tokens, words, signed: metadata.psi === SIGNED, padding };
}

/** Several texts as the segments of one. */
function joined([first, ...others]) {
  return others.reduce((whole, part) => {
    const [count, segment] = [whole.tokens.length, whole.texts.length];
    const tokens = part.tokens.map((token) => (token.segment === null ? token : { ...token, segment }));
    const words = part.words.map((word) => ({ ...word, segment, tokens: word.tokens.map((place) => place + count) }));
    return {
      ...whole,
      texts: [...whole.texts, ...part.texts],
      tokens: [...whole.tokens, ...tokens],
      words: [...whole.words, ...words],
      padding: whole.padding + part.padding,
    };
  }, first);
}

/** The score, if its terms are known: they and the residual add up to it. */
function sumOf({ contributions, residual }) {
  return contributions && residual ? contributions.data.reduce((sum, term) => sum + term, residual.data[0]) : undefined;
}

function dot(one, other) {
  return one.reduce((sum, value, place) => sum + value * other[place], 0);
}
