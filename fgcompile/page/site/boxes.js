/**
 * The box of a detector's candidate, where it is known which of the artifact's outputs holds it, and how.
 *
 * No artifact says that. It is taken as known where a further output of the model has, for each candidate, four numbers
 * and behind them the very classes that are explained: their logits, or the sigmoids of these, number by number. That is
 * the head of a YOLO from v8 on as it is exported, `(4 + K, A)`, or turned, and its four numbers are the middle and the
 * size. Corners they are not: those of the right and bottom are never left of or above the others. Whatever is otherwise
 * has no box. `examples/node` calls artifacts by this file too; it imports nothing.
 */

const EXPLAINS = ["saliency", "contributions", "residual", "input_gradient", "bias_gradients"];
const BOX = 4;
const SAME = 1e-3; // of a logit or a probability, which runtimes round
const PARTS = 1.5; // up to which numbers are parts of the picture, not pixels

/** The names of the outputs that may hold boxes: the model's own of candidates, beside logits of them. */
export function boxOutputs({ outputs }) {
  const ofCandidates = outputs.filter(({ shape }) => shape.length === 3).map(({ name }) => name);
  if (!ofCandidates.includes("logits")) return [];
  return ofCandidates.filter((name) => name !== "logits" && !EXPLAINS.includes(name.split(".")[0]));
}

/** The box of a target, `{ left, top, right, bottom }` in parts of the artifact's picture; undefined where none is known. */
export function findBox(target, { logits, outputs }, [height, width]) {
  const tables = Object.values(outputs).flatMap((output) => findTables(logits, output));
  if (tables.length !== 1) return undefined;
  const [{ candidates, number, axis }] = tables;
  const boxes = Array.from({ length: candidates }, (_, candidate) => number(candidate).slice(0, BOX));
  const isMiddle = boxes.every(([, , across, down]) => across > 0 && down > 0);
  const isCorner = boxes.every(([left, top, right, bottom]) => right >= left && bottom >= top);
  if (!isMiddle || isCorner) return undefined;
  const inParts = boxes.flat().every((value) => Math.abs(value) <= PARTS);
  const [x, y, across, down] = boxes[target[axis]];
  const [wide, high] = inParts ? [1, 1] : [width, height];
  return {
    left: (x - across / 2) / wide,
    top: (y - down / 2) / high,
    right: (x + across / 2) / wide,
    bottom: (y + down / 2) / high,
  };
}

/** The ways to read an output as a box and the explained classes of each candidate, with the target's axis of these. */
function findTables(logits, output) {
  const ways = [];
  for (const axis of [0, 1]) {
    const candidates = logits.sizes[axis];
    const classes = logits.sizes[1 - axis];
    for (const along of [0, 1]) {
      if (output.sizes[along] !== candidates || output.sizes[1 - along] !== BOX + classes) continue;
      const number = (candidate) => row(output, along, candidate);
      const logit = (candidate) => row(logits, axis, candidate);
      const isSame = (of) =>
        Array.from({ length: candidates }).every((_, candidate) => {
          const found = number(candidate).slice(BOX);
          return logit(candidate).every((value, index) => Math.abs(of(value) - found[index]) <= SAME);
        });
      if (isSame(sigmoid) || isSame((value) => value)) ways.push({ candidates, number, axis });
    }
  }
  return ways;
}

/** The numbers of a table at one place of an axis. */
function row({ data, sizes }, axis, place) {
  const count = sizes[1 - axis];
  return Array.from({ length: count }, (_, index) => data[axis === 0 ? place * count + index : index * sizes[1] + place]);
}

function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}
