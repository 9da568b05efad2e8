/**
 * The post-processors of a `tokenizer.json` by type: functions of its settings, and of the tokens of each segment,
 * that give those of all with what is added. A token that is added has no segment and comes from no character.
 */

const SPACES = /^[Ġ\p{White_Space}]*/u;
const SPACES_BEHIND = /[Ġ\p{White_Space}]*$/u;

export const POST_PROCESSORS = {
  BertProcessing: ({ cls, sep }) => (segments) => {
    const [begin, end] = [cls, sep].map(([text, id]) => special(text, id, 0));
    const [first, second] = segments.map((tokens, i) => withType(tokens, i));
    return [begin, ...first, end, ...(second ? [...second, { ...end, typeId: 1 }] : [])];
  },
  ByteLevel: (settings) => (segments) => trim(segments, settings).flat(),
  RobertaProcessing: (settings) => (segments) => {
    const [begin, end] = [settings.cls, settings.sep].map(([text, id]) => special(text, id, 0));
    const [first, second] = trim(segments, settings).map((tokens) => withType(tokens, 0));
    return [begin, ...first, end, ...(second ? [end, ...second, end] : [])];
  },
  Sequence: ({ processors }) => {
    const last = processors.at(-1);
    const before = processors.slice(0, -1);
    return (segments) =>
      makePostProcessor(last ?? null)(before.reduce((tokens, settings) => trim(tokens, settings), segments));
  },
  TemplateProcessing: ({ single, pair, special_tokens: named }) => (segments) =>
    (segments.length === 1 ? single : pair).flatMap((part) => {
      if (part.Sequence) return withType(segments["AB".indexOf(part.Sequence.id)], part.Sequence.type_id);
      const { ids, tokens } = named[part.SpecialToken.id];
      return ids.map((id, i) => special(tokens[i], id, part.SpecialToken.type_id));
    }),
};

export function makePostProcessor(settings) {
  return settings === null ? (segments) => segments.flat() : POST_PROCESSORS[settings.type](settings);
}

function special(text, id, typeId) {
  return { text, id, typeId, start: 0, end: 0, segment: null };
}

function withType(tokens, typeId) {
  return tokens.map((token) => ({ ...token, typeId }));
}

/** Leaves the spaces of a token out of the characters that it came from, where the settings say so. */
function trim(segments, { trim_offsets: wanted, add_prefix_space: prefix }) {
  if (!wanted) return segments;
  return segments.map((tokens) =>
    tokens.map((token, place) => {
      let before = count(token.text, SPACES);
      const behind = count(token.text, SPACES_BEHIND);
      if (before === 1 && prefix && (place === 0 || token.start === 0)) before = 0; // it is not the text's
      const start = Math.min(token.start + before, token.end);
      return { ...token, start, end: token.end >= behind ? Math.max(token.end - behind, start) : token.end };
    }),
  );
}

function count(text, pattern) {
  return Array.from(pattern.exec(text)[0]).length;
}
