/** The classes that a text can be asked about, best first, or the tokens that are expected; which of them to list. */

import { elementAt, kindName, placeOf, scoreAt } from "./questions.js";

const LISTED = 10;

/** The best at the explained place whose name holds the query, and its own: `[{ kind, name, score }, …]`. */
export function listKinds(model, { logits, target }, query) {
  if (!logits || !target) return [];
  const place = placeOf(model, target);
  const scoreOf = (kind) => scoreAt(logits, elementAt(model, place, kind));
  const entry = (kind) => ({ kind, name: kindName(model, kind), score: scoreOf(kind) });
  const count = logits.sizes[model.classes ?? 0];
  const own = target[model.classes ?? 0];
  const spells = model.writes && !model.metadata.labels && query.trim();
  const listed = spells ? spelled(model, query, count) : best(count, scoreOf, named(model, query));
  return (listed.includes(own) ? listed : [...listed, own]).map(entry);
}

/** Of the vocabulary the token that is written so, at the beginning of a word or within one. */
function spelled(model, query, count) {
  const found = [` ${query.trim()}`, query.trim()].flatMap((word) => {
    try {
      return [model.tokenOf(word)];
    } catch {
      return []; // several tokens, of which none is asked about by such a name
    }
  });
  return [...new Set(found)].filter((kind) => kind < count);
}

function named(model, query) {
  const wanted = query.trim().toLowerCase();
  return wanted ? (kind) => kindName(model, kind).toLowerCase().includes(wanted) : () => true;
}

/** The largest of so many, in descending order; of equals the first. */
function best(count, scoreOf, keep) {
  const found = [];
  for (let kind = 0; kind < count; kind++) {
    const score = scoreOf(kind);
    if ((found.length === LISTED && score <= found.at(-1).score) || !keep(kind)) continue;
    const rank = found.findIndex((other) => score > other.score);
    found.splice(rank === -1 ? found.length : rank, 0, { kind, score });
    found.splice(LISTED);
  }
  return found.map(({ kind }) => kind);
}
