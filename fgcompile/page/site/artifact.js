/**
 * An artifact says what it is: its metadata are inside the file, though ONNX Runtime does not hand them out here.
 *
 * Both the page and `examples/node` read artifacts by this file; it imports nothing, so that each brings its own `pbf`.
 */

const METADATA_PROPS = 14; // in ONNX's ModelProto; an entry's key and value are fields 1 and 2
const KEY = "fgcompile";
const TOKENIZER_KEY = "fgcompile.tokenizer";
const SCHEMA = 1; // the newest that is read here
const SEAL = "sha256:";
const SEAL_SIZE = SEAL.length + 64;

/**
 * Reads a file's bytes as an artifact that takes photos and returns logits and a map.
 *
 * `name` is what errors call the file, and `reader` a `PbfReader` of the bytes. Returns `{ bytes, size, metadata,
 * input, shape, fit }`: the input's name, the `[height, width, channels]` of a photo, and how others become that.
 */
export async function readArtifact(name, bytes, reader) {
  const { tokenizer, ...artifact } = await readSealed(name, bytes, reader);
  if (tokenizer !== undefined) {
    throw new Error(`${name} takes texts, not photos: \`fgcompile page\` makes another page for it`);
  }
  return { ...artifact, ...photoInput(artifact.metadata, name) };
}

/** Reads a file's bytes as any artifact: `{ bytes, size, metadata, tokenizer }`, the last where it keeps one. */
export async function readSealed(name, bytes, reader) {
  const { metadata, tokenizer } = findEntries(reader);
  if (metadata === undefined) {
    throw new Error(`${name} is not an fgcompile artifact in ONNX: make one with \`fgcompile compile\``);
  }
  await checkSeal(bytes, name);
  if (metadata.schema > SCHEMA) {
    throw new Error(`${name} was made by a newer fgcompile (schema ${metadata.schema}): take its example`);
  }
  return { bytes, size: bytes.length, metadata, tokenizer };
}

/** The metadata in an ONNX file and the tokenizer beside them, each undefined where there is none. */
function findEntries(reader) {
  const entries = {};
  try {
    reader.readFields((field, _, model) => {
      if (field !== METADATA_PROPS) return;
      const [key, value] = model.readMessage((part, pair, entry) => (pair[part - 1] = entry.readString()), []);
      entries[key] = value;
    });
    return { metadata: JSON.parse(entries[KEY]), tokenizer: entries[TOKENIZER_KEY] };
  } catch {
    return {}; // neither a protobuf message nor JSON: some other file
  }
}

/** An artifact ends in the SHA-256 of all that comes before it. Browsers compute one on https and localhost only. */
async function checkSeal(bytes, name) {
  if (globalThis.isSecureContext === false) return; // Node.js has no such name, and always computes one
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.subarray(0, -SEAL_SIZE)));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (new TextDecoder().decode(bytes.subarray(-SEAL_SIZE)) !== SEAL + hex) {
    throw new Error(`${name} is damaged: its bytes do not match its SHA-256 seal; copy it again or compile it again`);
  }
}

function photoInput(metadata, name) {
  const own = metadata.inputs.filter((spec) => spec.optional || (spec.name === "explain" && metadata.on_demand));
  const inputs = metadata.inputs.filter((spec) => !own.includes(spec) && spec.name !== "target");
  const shape = (inputs[0].example ?? inputs[0].shape).slice(1);
  if (inputs.some((spec) => spec.name.includes("input_ids")) && inputs.every((spec) => spec.shape.length <= 2)) {
    throw new Error(`${name} takes the numbers of a text's tokens: compile it with --tokenizer FILE, for a page of texts`);
  }
  if (metadata.preprocess === null || inputs.length !== 1 || ![1, 3].includes(shape[2])) {
    throw new Error(
      `${name} takes prepared arrays, not photos: compile it with --mean and --std, the normalisation it was trained with`,
    );
  }
  const outputs = metadata.outputs.map((spec) => spec.name);
  if (!outputs.includes("logits") || !outputs.includes("saliency")) {
    throw new Error(`${name} does not compute a class's logits and map: compile it with both outputs`);
  }
  if (metadata.batch?.size > 1) {
    throw new Error(`${name} takes ${metadata.batch.size} photos a call, and here is one: compile it with batch=1`);
  }
  return { input: inputs[0].name, shape, fit: metadata.preprocess.fit };
}
