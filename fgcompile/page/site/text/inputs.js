/**
 * Which inputs of an artifact a text fills, by their names, and what with: `input_ids`, `attention_mask`,
 * `token_type_ids` and `position_ids`. A model of two texts has each name twice, with a word in front or behind.
 */

const IDS = "input_ids";
const MASK = "attention_mask";
const ROLES = [IDS, MASK, "token_type_ids", "position_ids"];
const NAME = new RegExp(`^(?:(\\w+)_)?(${ROLES.join("|")})(?:_(\\w+))?$`);
const SCORE_INPUTS = ["tokens", "position", "token", "query"]; // of `Continuation`, `Token` and `Similarity`

/** `{ texts, own }`: for each text the specs of its inputs by role, and the names of the score's own inputs. */
export function findInputs(metadata) {
  const texts = new Map();
  const own = (metadata.score_inputs ?? []).filter((name) => SCORE_INPUTS.includes(name));
  for (const spec of inputSpecs(metadata)) {
    if (own.includes(spec.name)) continue;
    const [, front = "", role, behind = ""] = NAME.exec(spec.name) ?? [];
    if (!role || front === "decoder" || behind === "decoder" || spec.shape.length !== 2) {
      throw new Error(
        `the artifact takes '${spec.name}' (${spec.shape.join(", ")}), which no text says: a text fills ` +
          `${ROLES.join(", ")} of shape (batch, length)`,
      );
    }
    const key = `${front}|${behind}`;
    texts.set(key, { ...texts.get(key), [role]: spec });
  }
  for (const specs of texts.values()) {
    if (!specs[IDS]) throw new Error(`the artifact takes '${Object.values(specs)[0].name}' and no ${IDS} beside it`);
  }
  return { texts: [...texts.values()], own };
}

function inputSpecs(metadata) {
  const own = [metadata.target === "input" && "target", metadata.on_demand && "explain"];
  return metadata.inputs.filter((spec) => !spec.optional && !own.includes(spec.name));
}

/** The input of a text's ids. */
export function idsOf(specs) {
  return specs[IDS];
}

function batchAxis({ shape }) {
  return Math.max(shape.indexOf("batch"), 0);
}

/** The tokens that an artifact takes of a text, or the name of any number. */
export function lengthOf(specs) {
  return specs[IDS].shape[1 - batchAxis(specs[IDS])];
}

/** As many tokens of number 0 as the artifact takes, or was compiled with. */
export function blankPieces(specs) {
  const size = [specs[IDS].shape, specs[IDS].example ?? []].map((shape) => shape[1 - batchAxis(specs[IDS])]);
  return Array.from({ length: size.find(Number.isInteger) ?? 1 }, () => ({ id: 0, typeId: 0 }));
}

/**
 * The inputs of one text by name, `{ type, data, dims }`, padded behind to the artifact's length.
 *
 * `pad` are the ids of the token, and of its segment, to pad with, and `longest` the most tokens that the tokenizer
 * says a text may have; either may be undefined.
 */
export function fill(specs, pieces, pad, longest) {
  const size = sizeOf(specs, pieces.length, longest);
  requireShort(specs, size);
  if (pieces.length < size) requirePadding(specs, pieces.length, size, pad);
  const [number, kind] = pad ?? [0, 0];
  const row = (inside, behind) => Array.from({ length: size }, (_, place) => (pieces[place] ? inside(place) : behind));
  const rows = {
    input_ids: row((place) => pieces[place].id, number),
    attention_mask: row(() => 1, 0),
    token_type_ids: row((place) => pieces[place].typeId, kind),
    position_ids: Array.from({ length: size }, (_, place) => place),
  };
  return Object.fromEntries(
    Object.entries(specs).map(([role, spec]) => [
      spec.name,
      { type: spec.dtype, data: rows[role], dims: batchAxis(spec) === 1 ? [size, 1] : [1, size] },
    ]),
  );
}

function sizeOf(specs, count, longest) {
  if (longest !== undefined && count > longest) {
    throw new Error(`a text has ${count} tokens, its model takes ${longest} at most: shorten it, or give its parts`);
  }
  const length = lengthOf(specs);
  if (Number.isInteger(length)) {
    if (count <= length) return length;
    const padded = specs[MASK] ? ", or with examples padded to as many" : "";
    throw new Error(
      `a text has ${count} tokens, the artifact takes ${length}: shorten it, or compile with dynamic_sizes=True` +
        padded,
    );
  }
  const least = (specs[IDS].smallest ?? specs[IDS].shape)[1 - batchAxis(specs[IDS])];
  const size = Number.isInteger(least) && specs[MASK] ? Math.max(count, least) : count;
  const [factor] = length.split("*");
  const step = /^\d+$/.test(factor) ? Number(factor) : 1;
  return Math.ceil(size / step) * step;
}

/** Refuses a text that goes beyond the model's positions, in the runtime's words. */
function requireShort(specs, size) {
  for (const { name, shape, largest = shape } of Object.values(specs)) {
    const axis = 1 - batchAxis({ shape });
    const most = largest[axis];
    if (!Number.isInteger(most) || size <= most) continue;
    const given = axis === 1 ? [1, size] : [size, 1];
    throw new Error(
      `${name} has shape (${given.join(", ")}), the artifact takes (${shape.join(", ")}): axis ${axis} must be at ` +
        `most ${most}, not ${size}: the model's positions end there; shorten it, or give it by parts`,
    );
  }
}

/** Refuses to make a text longer where the model would take the pads for tokens. */
function requirePadding(specs, count, size, pad) {
  if (specs[MASK] && pad) return;
  const lacking = specs[MASK] ? "its tokenizer has no token to pad with" : `the artifact takes no ${MASK}`;
  const ways = [Number.isInteger(lengthOf(specs)) ? "or compile with dynamic_sizes=True" : "one at a time"];
  if (specs[MASK]) ways.push("or compile with a tokenizer that pads, by its enable_padding(pad_id=…, pad_token=…)");
  throw new Error(
    `a text has ${count} tokens, and ${size} are due here, but ${lacking}: give texts of ${size} tokens, ` +
      ways.join(", "),
  );
}

const ARRAYS = {
  bool: [Uint8Array, Number],
  float32: [Float32Array, Number],
  int32: [Int32Array, Number],
  int64: [BigInt64Array, BigInt],
};

/** The runtime's tensor of `{ type, data, dims }`. */
export function tensorOf({ type, data, dims }, Tensor) {
  if (!ARRAYS[type]) throw new Error(`the artifact takes ${type}, which browsers have no arrays of`);
  const [Values, convert] = ARRAYS[type];
  return new Tensor(type, Values.from(data, convert), dims);
}
