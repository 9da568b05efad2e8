/** The classes of one photo, best first, and which of them to list. */

const LISTED = 10;

/** The best classes whose name holds the query, and the explained one: `[{ index, name, score }, …]`. */
export function listClasses({ logits, target }, labels, query) {
  const classes = Array.from(logits, (score, index) => ({ index, name: className(index, labels), score }));
  classes.sort((a, b) => b.score - a.score); // of equals the lower index stays first
  const wanted = query.trim().toLowerCase();
  const found = classes.filter(({ name }) => name.toLowerCase().includes(wanted));
  const listed = found.slice(0, LISTED);
  return listed.concat(classes.filter((entry) => entry.index === target && !listed.includes(entry)));
}

export function className(index, labels) {
  return labels ? labels[index] : `class ${index}`;
}
