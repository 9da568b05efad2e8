/** The page: what is dropped or chosen, and what is shown. */

import { PbfReader } from "pbf";
import { readArtifact } from "./artifact.js";
import { makeExplain } from "./call.js";
import { findAxes, isElement, isSame, listClasses, rankClasses, readElement } from "./classes.js";
import { drawBar, drawOverlay } from "./overlay.js";
import { placeMark } from "./marks.js";
import { isWhole, readPhoto } from "./photo.js";
import { numberOf, scaleOf } from "./scale.js";
import { element, makePerform } from "./perform.js";
import { openSession } from "./session.js";
import { scoreOf, targetAxes, targetCount, targetName } from "./targets.js";

const ARTIFACT = "model.onnx"; // beside the page

/** What the page shows: the artifact, its session, the photo's file, the photo, its explanation, which of its maps. */
export const shown = {};

const overlay = document.createElement("canvas");
const outline = Object.assign(document.createElement("div"), { id: "part" });
const mark = Object.assign(document.createElement("div"), { id: "mark" });
const perform = makePerform(describe);

async function useArtifact(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const artifact = await readArtifact(file.name, bytes, new PbfReader(bytes));
  const session = await openSession(artifact, (opened, Tensor) => prepare(artifact, opened, Tensor));
  Object.assign(shown, { artifact, session, name: file.name });
  if (shown.file) await usePhoto(shown.file);
}

async function prepare(artifact, session, Tensor) {
  const explain = makeExplain(artifact, session, Tensor);
  await explain(new Uint8Array(artifact.shape.reduce((product, size) => product * size, 1)));
  return explain;
}

async function usePhoto(file) {
  if (shown.artifact) {
    const photo = await readPhoto(file, shown.artifact.shape, shown.artifact.fit);
    Object.assign(shown, { photo, explanation: await shown.session.explain(photo.pixels), map: 0 });
    element("query").value = "";
    show();
  }
  shown.file = file;
}

/** Shows the map of a target; where a call explains several, those of the next best classes there come along. */
async function explainTarget(target) {
  const { artifact, explanation, photo, session } = shown;
  let map = explanation.targets.findIndex((other) => isSame(other, target));
  if (map === -1) {
    const others = rankClasses(explanation.logits, target, artifact.metadata).map((entry) => entry.target);
    const asked = [target, ...others.filter((other) => !isSame(other, target))];
    const count = targetCount(artifact.metadata) ?? 1;
    const targets = Array.from({ length: count }, (_, rank) => asked[rank % asked.length]);
    shown.explanation = await session.explain(photo.pixels, targets);
    map = 0;
  }
  shown.map = map;
  show();
}

/** Asks about the place that was clicked, and the largest class there. */
function explainPlace(event) {
  const { artifact, explanation, photo } = shown;
  const { places } = findAxes(artifact.metadata);
  if (!isChoosable(artifact.metadata) || places.length === 0) return;
  const at = partOf(event, photo);
  if (at.some((side) => side < 0 || side > 1)) {
    perform("", async () => {
      throw new Error("the model saw only what is outlined: click within the line");
    });
    return;
  }
  const place = [...explanation.targets[0]];
  places.forEach((axis, side) => {
    const size = explanation.logits.sizes[axis];
    place[axis] = Math.min(Math.max(Math.floor(at[side] * size), 0), size - 1);
  });
  element("query").value = "";
  const [{ target, name }] = rankClasses(explanation.logits, place, artifact.metadata);
  perform(`Explaining ${name} …`, () => explainTarget(target));
}

/** Where a click lies in what the model saw, in parts of its height and width. */
function partOf({ clientX, clientY }, { canvas, part }) {
  const box = element("picture").getBoundingClientRect();
  const within = (part) => Math.min(Math.max(part, 0), 1); // a click's own place is rounded
  const down = within((clientY - box.top) / box.height) * canvas.height - part.top;
  const across = within((clientX - box.left) / box.width) * canvas.width - part.left;
  return [down / part.height, across / part.width];
}

function isChoosable(metadata) {
  return metadata.target === "input";
}

function show() {
  const { artifact, explanation, map, photo } = shown;
  const scale = scaleOf(explanation.maps[map], artifact.metadata.psi === "signed");
  drawOverlay(overlay, photo, explanation.maps[map], artifact.shape, scale);
  showScale(scale);
  element("picture").replaceChildren(photo.canvas, overlay, outline, mark);
  outlinePart(photo);
  const target = explanation.targets?.[map];
  placeMark(mark, photo, target, explanation, artifact);
  const name = target ? targetName(target, artifact.metadata) : artifact.metadata.score ?? "the artifact's own score";
  element("picture").ariaLabel = `The map for ${name}, over the photo`;
  const score = target ? scoreOf(target, explanation.logits) : explanation.score;
  element("caption").textContent = score === undefined ? name : `${name}, score ${number(score)}`;
  element("empty").hidden = true;
  element("figure").hidden = false;
  listButtons();
}

/** A line around what the model saw of the photo; the page's layout follows the photo's proportions. */
function outlinePart(photo) {
  const { canvas, part } = photo;
  document.documentElement.style.setProperty("--ratio", canvas.width / canvas.height);
  for (const [side, whole] of Object.entries({ left: "width", top: "height", width: "width", height: "height" })) {
    outline.style[side] = `${(100 * part[side]) / canvas[whole]}%`;
  }
  outline.hidden = isWhole(photo);
  element("seen").hidden = outline.hidden;
}

/** The colours of the map, and what those at the ends stand for. */
function showScale(scale) {
  drawBar(element("bar"), scale);
  for (const end of ["low", "high"]) element(end).textContent = numberOf(scale[end]);
  for (const word of ["takes", "adds"]) element(word).hidden = !scale.signed;
}

function listButtons() {
  const { artifact, explanation, map } = shown;
  const { metadata } = artifact;
  const shownTarget = explanation.targets?.[map];
  const indices = targetAxes(metadata).map(({ name }) => name);
  const asks = isChoosable(metadata) && indices.length > 1;
  element("query").placeholder = asks ? `search, or indices ${indices.join(",")}` : "search all classes";
  element("query").disabled = false;
  const items = listClasses(explanation.logits, shownTarget, metadata, element("query").value).map((entry) => {
    const button = document.createElement("button");
    button.append(...[entry.name, number(entry.score)].map((text) => span(text)));
    const there = explanation.targets?.some((target) => isSame(target, entry.target)); // its map, at a fixed target too
    button.disabled = !isChoosable(metadata) && !(there && explanation.maps.length > 1);
    button.ariaPressed = String(isSame(entry.target, shownTarget));
    button.onclick = () => perform(`Explaining ${entry.name} …`, () => explainTarget(entry.target));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  element("list").replaceChildren(...items);
}

function number(score) {
  return score.toFixed(2).replace("-", "−");
}

function span(text) {
  return Object.assign(document.createElement("span"), { textContent: text });
}

function describe() {
  if (!shown.artifact) return "No artifact yet: choose an .onnx that `fgcompile compile --mean … --std …` made.";
  const { artifact, session, explanation } = shown;
  const size = `${(artifact.size / 1e6).toFixed(1)} MB`;
  const parts = [`${shown.name} (${artifact.metadata.model.name}, ${size})`, session.backend];
  if (explanation) parts.push(`explained in ${Math.round(explanation.milliseconds)} ms`);
  return parts.join(" · ");
}

function take(file) {
  if (!file) return;
  if (/\.(onnx|pt2?)$/i.test(file.name)) perform(`Loading ${file.name} …`, () => useArtifact(file));
  else perform(`Explaining ${file.name} …`, () => usePhoto(file));
}

for (const input of document.querySelectorAll("input[type=file]")) {
  input.onchange = () => {
    take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  };
}
element("opacity").oninput = (event) => (overlay.style.opacity = event.target.value / 100);
element("picture").onclick = explainPlace;
element("query").oninput = listButtons;
element("search").onsubmit = (event) => {
  event.preventDefault();
  const text = element("query").value;
  const { metadata } = shown.artifact;
  if (isChoosable(metadata) && isElement(text, metadata)) {
    perform(`Explaining ${text} …`, () => {
      const target = readElement(text, shown.explanation.logits, metadata);
      element("query").value = ""; // so that the others are listed
      return explainTarget(target);
    });
  } else element("list").querySelector("button")?.click();
};
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  take(event.dataTransfer.files[0]);
};

perform(`Loading ${ARTIFACT} …`, async () => {
  const response = await fetch(ARTIFACT);
  if (response.ok) await useArtifact(new File([await response.blob()], ARTIFACT));
});
