/** The page: what is dropped or chosen, and what is shown. */

import { PbfReader } from "pbf";
import { readArtifact } from "./artifact.js";
import { className, listClasses } from "./classes.js";
import { drawOverlay } from "./overlay.js";
import { readPhoto } from "./photo.js";
import { openSession } from "./session.js";

const ARTIFACT = "model.onnx"; // beside the page

/** What the page shows: the artifact, its session, the photo's file, the photo, and its explanation. */
export const shown = {};

const element = (id) => document.getElementById(id);
const overlay = document.createElement("canvas");
let last = Promise.resolve();

/** Does one thing after the other, says what it is doing, and shows an error in one line. */
function perform(doing, task) {
  last = last.then(async () => {
    element("error").hidden = true;
    element("status").textContent = doing;
    document.body.setAttribute("aria-busy", "true");
    try {
      await task();
    } catch (error) {
      element("error").textContent = error.message.split("\n")[0];
      element("error").hidden = false;
    }
    document.body.removeAttribute("aria-busy");
    element("status").textContent = describe();
  });
  return last;
}

async function useArtifact(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const artifact = await readArtifact(file.name, bytes, new PbfReader(bytes));
  const session = await openSession(artifact);
  Object.assign(shown, { artifact, session, name: file.name });
  if (shown.file) await usePhoto(shown.file);
}

async function usePhoto(file) {
  if (shown.artifact) {
    const photo = await readPhoto(file, shown.artifact.shape);
    Object.assign(shown, { photo, explanation: await shown.session.explain(photo.pixels) });
    element("query").value = "";
    show();
  }
  shown.file = file;
}

async function explainClass(index) {
  shown.explanation = await shown.session.explain(shown.photo.pixels, index);
  show();
}

function show() {
  const { artifact, explanation, photo } = shown;
  const { labels } = artifact.metadata;
  drawOverlay(overlay, photo.canvas, explanation.saliency, artifact.shape);
  element("picture").replaceChildren(photo.canvas, overlay);
  const { target, logits } = explanation;
  const name = target === undefined ? "the artifact's own score" : className(target, labels);
  element("picture").ariaLabel = `The map for ${name}, over the photo`;
  element("caption").textContent = target === undefined ? name : `${name}, score ${logits[target].toFixed(2)}`;
  element("empty").hidden = true;
  element("figure").hidden = false;
  listButtons();
}

function listButtons() {
  const { artifact, explanation } = shown;
  const fixed = artifact.metadata.target !== "input";
  element("query").disabled = false;
  const items = listClasses(explanation, artifact.metadata.labels, element("query").value).map((entry) => {
    const button = document.createElement("button");
    button.append(...[entry.name, entry.score.toFixed(2)].map((text) => span(text)));
    button.disabled = fixed;
    button.ariaPressed = String(entry.index === explanation.target);
    button.onclick = () => perform(`Explaining ${entry.name} …`, () => explainClass(entry.index));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  element("list").replaceChildren(...items);
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
element("query").oninput = listButtons;
element("search").onsubmit = (event) => {
  event.preventDefault();
  element("list").querySelector("button")?.click();
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
