/** Patterns as a `tokenizer.json` has them: a text to find as it is, or a regular expression of Oniguruma. */

/** The pattern in JavaScript's own terms, global; the library knows how those of Oniguruma read. */
export function regexOf(pattern, library) {
  if (pattern.String !== undefined) return new RegExp(escape(pattern.String), "gu");
  return new library.SplitPreTokenizer({ pattern, invert: false }).pattern;
}

/** A text as the regular expression that finds it. */
export function escape(text) {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}
