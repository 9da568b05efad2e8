/**
 * The models of a `tokenizer.json` by type: functions of one pre-token's text that give its tokens,
 * `{ id, text, from, to }`, with the characters that each came from. What is most likely is the library's to find.
 */

const UTF8 = new TextEncoder();

export const MODELS = {
  BPE: (settings, library) => {
    const model = new library.BPE(settings);
    const { unk_token: unknown, end_of_word_suffix: suffix, fuse_unk: fuse, byte_fallback: bytes } = settings;
    return (text) => {
      if (settings.ignore_merges && model.tokens_to_ids.has(text)) return placed([[text, text]], model);
      const parts = model.bpe(text);
      const bare = parts.map((part, i) => (suffix && i === parts.length - 1 ? part.slice(0, -suffix.length) : part));
      return unknowns(parts.map((part, i) => [part, bare[i]]), model, { unknown, fuse, bytes });
    };
  },
  Unigram: (settings, library) => {
    const model = new library.Unigram(settings);
    const { unk_id: unknown, byte_fallback: bytes } = settings;
    return (text) => {
      const parts = model.tokenize(text).map((part) => [part, part]);
      return unknowns(parts, model, { id: unknown, fuse: true, bytes, literal: true });
    };
  },
  WordLevel: ({ vocab, unk_token: unknown }) => {
    const model = { tokens_to_ids: new Map(Object.entries(vocab)) };
    return (text) => unknowns([[text, text]], model, { unknown });
  },
  WordPiece: (settings, library) => {
    const model = new library.WordPiece(settings);
    const { unk_token: unknown, continuing_subword_prefix: prefix } = settings;
    return (text) => {
      const parts = model.encode([text]);
      if (parts.length === 1) return placed([[parts[0], text]], model, unknown);
      return placed(parts.map((part, i) => [part, i === 0 ? part : part.slice(prefix.length)]), model);
    };
  },
};

/** Tokens one behind the other, of `[token, its characters]`. */
function placed(parts, model, unknown) {
  let from = 0;
  return parts.map(([text, chars]) => {
    const id = model.tokens_to_ids.get(text);
    if (id === undefined) throw new Error(`the tokenizer has no token ${unknown ?? text}: it is damaged`);
    const to = from + Array.from(chars).length;
    const token = { id, text, from, to };
    from = to;
    return token;
  });
}

/**
 * Tokens of which some may be unknown: their bytes where there are tokens of bytes, else the one for all that is
 * unknown, several in a row as one where the model fuses them.
 */
function unknowns(parts, { tokens_to_ids: ids }, { unknown, id = ids.get(unknown), fuse, bytes, literal }) {
  const tokens = [];
  let from = 0;
  let open = false;
  for (const [text, chars] of parts) {
    const to = from + Array.from(chars).length;
    const known = ids.get(text);
    const fallback = known === undefined && bytes ? byteTokens(text, ids) : undefined;
    if (known !== undefined) tokens.push({ id: known, text, from, to });
    else if (open && fuse) {
      tokens.at(-1).to = to;
      if (literal) tokens.at(-1).text += text;
    } else if (fallback) tokens.push(...fallback.map((each) => ({ ...each, from, to })));
    else if (id === undefined || id === null) {
      throw new Error(`the tokenizer has no token for ${JSON.stringify(chars)}, nor one for what is unknown`);
    } else tokens.push({ id, text: literal ? text : unknown, from, to });
    open = known === undefined && !fallback;
    from = to;
  }
  return tokens;
}

function byteTokens(text, ids) {
  const names = Array.from(UTF8.encode(text), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  return names.every((name) => ids.has(name)) ? names.map((name) => ({ id: ids.get(name), text: name })) : undefined;
}
