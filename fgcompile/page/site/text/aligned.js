/**
 * A text on its way to tokens, and for each of its characters where in the given text it came from.
 *
 * Characters are code points, as in Python. A span is `[start, end]` in the given text. What is made here has the spans
 * of the library `tokenizers`, whose page on `NormalizedString` says which change of a character keeps which.
 */

export class Aligned {
  /** `start` is where the piece begins in the given text: what stands before its first character is aligned to it. */
  constructor(chars, spans, start = 0) {
    Object.assign(this, { chars, spans, start });
  }

  static of(text) {
    const chars = Array.from(text);
    return new Aligned(chars, chars.map((_, place) => [place, place + 1]));
  }

  get text() {
    return (this.joined ??= this.chars.join(""));
  }

  slice(from, to) {
    return new Aligned(this.chars.slice(from, to), this.spans.slice(from, to), this.spans[from]?.[0] ?? this.start);
  }

  /** Where the characters from `from` to `to` came from. */
  span(from, to) {
    return from < to ? [this.spans[from][0], this.spans[to - 1][1]] : [this.start, this.start];
  }

  /**
   * New characters, `[character, change]`: 0 replaces one, 1 is put in behind the one before, −n replaces one and
   * removes the n behind it. The first `removed` characters are left out.
   */
  transform(changes, removed = 0) {
    let place = removed;
    const spans = changes.map(([, change]) => {
      const span = change > 0 ? (this.spans[place - 1] ?? [this.start, this.start]) : this.spans[place];
      if (change <= 0) place += 1 - change;
      return span;
    });
    return new Aligned(changes.map(([char]) => char), spans, this.start);
  }

  /** Each character as the characters that `change` gives; the first replaces it, the others stand behind. */
  map(change) {
    return this.transform(this.chars.flatMap((char) => Array.from(change(char), (made, i) => [made, Number(i > 0)])));
  }

  filter(keep) {
    const changes = [];
    let first = 0;
    for (const char of this.chars) {
      if (keep(char)) changes.push([char, 0]);
      else if (changes.length) changes.at(-1)[1] -= 1;
      else first += 1;
    }
    return this.transform(changes, first);
  }

  prepend(text) {
    if (this.chars.length === 0) return this;
    const added = Array.from(text);
    return new Aligned([...added, ...this.chars], [...added.map(() => this.spans[0]), ...this.spans], this.start);
  }

  /** One of Unicode's normal forms: NFC, NFD, NFKC or NFKD. */
  normalize(form) {
    const apart = form.includes("K") ? "NFKD" : "NFD";
    const pool = this.chars.flatMap((char) => Array.from(char.normalize(apart), (part, i) => [part, Number(i > 0)]));
    let first = 0;
    const take = (part) => {
      let place = first;
      while (pool[place]?.[0] !== part) {
        if (place++ >= pool.length) throw new Error("a text cannot be normalised: it is no Unicode");
      }
      const [, change] = pool[place];
      pool[place] = undefined;
      while (first < pool.length && pool[first] === undefined) first += 1;
      return change;
    };
    const changes = Array.from(this.text.normalize(form), (char) => {
      const parts = form.endsWith("C") ? Array.from(char.normalize("NFD")) : [char];
      return [char, parts.reduce((sum, part) => sum + take(part), 1 - parts.length)];
    });
    return this.transform(changes);
  }

  /** Puts `content` in the place of all that matches; it is aligned to the last character that did. */
  replace(pattern, content) {
    const chars = [];
    const spans = [];
    const added = Array.from(content);
    for (const [from, to, matched] of this.parts(pattern)) {
      chars.push(...(matched ? added : this.chars.slice(from, to)));
      spans.push(...(matched ? added.map(() => this.spans[to - 1]) : this.spans.slice(from, to)));
    }
    return new Aligned(chars, spans, this.start);
  }

  /** The text in stretches, `[from, to, matched]`: what matches a global pattern, and what lies between. */
  parts(pattern) {
    const places = [];
    this.chars.forEach((char, place) => places.push(...Array(char.length).fill(place)));
    places.push(this.chars.length);
    const parts = [];
    let last = 0;
    for (const match of this.text.matchAll(pattern)) {
      const [from, to] = [places[match.index], places[match.index + match[0].length]];
      if (from === to) continue;
      if (last < from) parts.push([last, from, false]);
      parts.push([from, to, true]);
      last = to;
    }
    if (last < this.chars.length) parts.push([last, this.chars.length, false]);
    return parts;
  }

  /** The pieces of a text that is split at what matches, or with `invert` at what does not. */
  split(pattern, behavior, invert = false) {
    const parts = this.parts(pattern).map(([from, to, matched]) => [from, to, matched !== invert]);
    return JOINED[behavior](parts).map(([from, to]) => this.slice(from, to));
  }
}

/** What becomes of the stretches that a text is split at. */
const JOINED = {
  Removed: (parts) => parts.filter(([, , matched]) => !matched),
  Isolated: (parts) => parts,
  Contiguous: (parts) => join(parts, (matched, before) => matched === before),
  MergedWithPrevious: (parts) => join(parts, (matched, before) => matched && !before),
  MergedWithNext: (parts) => {
    const turned = parts.map(([from, to, matched]) => [-to, -from, matched]).reverse();
    return join(turned, (matched, before) => matched && !before).map(([from, to]) => [-to, -from]).reverse();
  },
};

/** Adds a stretch to the one before where `belongs` says so, given whether each matched. */
function join(parts, belongs) {
  const joined = [];
  let before = false;
  for (const [from, to, matched] of parts) {
    if (belongs(matched, before) && joined.length) joined.at(-1)[1] = to;
    else joined.push([from, to]);
    before = matched;
  }
  return joined;
}
