/** The page: what is written or chosen, and what is shown. */

import * as library from "@huggingface/tokenizers";
import { PbfReader } from "pbf";
import { readSealed } from "../artifact.js";
import { element, makePerform } from "../perform.js";
import { openSession } from "../session.js";
import { continuationOf } from "./continuations.js";
import { makeExplainText, warmUpText } from "./explain.js";
import { listKinds } from "./kinds.js";
import { TextModel } from "./model.js";
import { placeOf } from "./questions.js";
import { describeWord, drawAdded, drawLegend, drawNumbers, drawTexts, visible } from "./show.js";

const ARTIFACT = "model.onnx"; // beside the page

/** What the page shows: the artifact, its model and session, the text in segments, and its explanation. */
export const shown = {};

const perform = makePerform(describe);

async function useArtifact(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const artifact = await readSealed(file.name, bytes, new PbfReader(bytes));
  if (artifact.tokenizer === undefined) {
    throw new Error(`${file.name} keeps no tokenizer: compile it with one, --tokenizer FILE`);
  }
  const model = new TextModel(artifact, library);
  const session = await openSession(artifact, async (opened, Tensor) => {
    await warmUpText(model, opened, Tensor);
    return makeExplainText(model, opened, Tensor);
  });
  Object.assign(shown, { artifact, model, session, name: file.name, explanation: undefined });
  document.title = `${artifact.metadata.model.name}: what each word adds`;
  element("hint").textContent = hintOf(model);
  showSecond();
  element("found").hidden = true;
  document.querySelector(".classes").hidden = true;
  if (shown.segments) await explainWritten();
}

function hintOf(model) {
  const continuation = continuationOf(model);
  if (continuation === "needed") return "Says how likely the continuation is, and which words make it so.";
  if (continuation) return "The likeliest token is explained, or the one that you give as the continuation.";
  if (model.compares) return "Says how alike the two texts are, and which words make them so.";
  if (model.writes && model.mask !== undefined) {
    const mask = model.tokenizer.names.get(model.mask);
    return `Put ${mask} in the place of a word: the word that is expected there is explained.`;
  }
  if (model.writes) return "The token that is expected behind the text is explained.";
  return model.axes.length > 1 ? "Click a word to ask about it." : "";
}

/** The box of a second text, or a continuation, where there has to be one or it was asked for. */
function showSecond(wanted = false) {
  const { model } = shown;
  const [box, label] = [element("second"), document.querySelector("label[for=second]")];
  const continues = model && continuationOf(model);
  if (wanted || model?.compares || continues) for (const part of [box, label]) part.hidden = false;
  element("more").hidden = !box.hidden;
  label.textContent = continues ? "Continuation" : "Second text";
  const other = "What it is compared with, or its second segment";
  box.placeholder = continues ? "With the space that it begins with" : other;
}

/** Explains what stands in the boxes. */
async function explainWritten() {
  const [first, second] = [element("text").value, element("second").hidden ? "" : element("second").value];
  if (continuationOf(shown.model)) await explain([first], { continuation: second });
  else await explain(shown.model.compares || second.trim() ? [first, second] : [first]);
}

async function explain(segments, wish) {
  Object.assign(shown, { explanation: await shown.session.explain(segments, wish), segments });
  show();
}

function show() {
  const { explanation, model } = shown;
  const score = explanation.score === undefined ? "" : `score ${explanation.score.toFixed(2)}`.replace("-", "−");
  const detail = Object.assign(document.createElement("span"), { className: "score", textContent: score });
  element("caption").replaceChildren(visible(explanation.name), " ", detail);
  element("shown").replaceChildren(...drawTexts(explanation, clickWord));
  element("detail").textContent = "";
  const asked = explanation.target && placeOf(model, explanation.target);
  if (asked !== undefined) mark(explanation.words.findIndex(({ tokens }) => tokens.includes(asked)));
  element("added").replaceChildren(...drawAdded(explanation));
  element("legend").replaceChildren(...drawLegend(explanation));
  element("numbers").replaceChildren(...drawNumbers(explanation));
  element("found").hidden = false;
  document.querySelector(".classes").hidden = !explanation.target;
  element("query").placeholder = model.writes && !model.metadata.labels ? "another token" : "search all classes";
  listButtons();
}

/** Says what a word adds; a tagger is asked about its first token. */
function clickWord(number) {
  const { explanation, model } = shown;
  const [place] = explanation.words[number].tokens;
  if (model.axes.length > 1 && !model.writes && isAsked() && place !== placeOf(model, explanation.target)) {
    const { text } = explanation.words[number];
    perform(`Explaining ${text} …`, () => explain(shown.segments, { place }));
    return;
  }
  element("detail").textContent = describeWord(explanation, number);
  mark(number);
}

function mark(number) {
  document.querySelectorAll("#shown .w").forEach((word, place) => word.classList.toggle("asked", place === number));
}

function isAsked() {
  return shown.artifact.metadata.target === "input";
}

function listButtons() {
  const { explanation, model } = shown;
  const own = explanation.target?.[model.classes ?? 0];
  const items = listKinds(model, explanation, element("query").value).map(({ kind, name, score }) => {
    const button = document.createElement("button");
    button.append(...[visible(name), score.toFixed(2).replace("-", "−")].map((text) => span(text)));
    button.disabled = !isAsked();
    button.ariaPressed = String(kind === own);
    const place = explanation.target && placeOf(model, explanation.target);
    button.onclick = () => perform(`Explaining ${name} …`, () => explain(shown.segments, { place, kind }));
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
  if (!shown.artifact) return "No artifact yet: choose an .onnx that `fgcompile compile --tokenizer …` made.";
  const { artifact, session, explanation } = shown;
  const size = `${(artifact.size / 1e6).toFixed(1)} MB`;
  const parts = [`${shown.name} (${artifact.metadata.model.name}, ${size})`, session.backend];
  if (explanation) {
    parts.push(`${explanation.tokens.length} tokens`, `explained in ${Math.round(explanation.milliseconds)} ms`);
  }
  return parts.join(" · ");
}

function takeText() {
  element("query").value = "";
  perform("Explaining …", async () => {
    if (!shown.session) throw new Error("there is no artifact yet: choose one");
    await explainWritten();
  });
}

function takeFile(file) {
  if (file) perform(`Loading ${file.name} …`, () => useArtifact(file));
}

element("ask").onsubmit = (event) => {
  event.preventDefault();
  takeText();
};
element("ask").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) takeText();
};
element("more").onclick = () => {
  showSecond(true);
  element("second").focus();
};
element("artifact-file").onchange = ({ target }) => {
  takeFile(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
};
element("query").oninput = listButtons;
element("search").onsubmit = (event) => {
  event.preventDefault();
  element("list").querySelector("button:enabled")?.click();
};
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  takeFile(event.dataTransfer.files[0]);
};

perform(`Loading ${ARTIFACT} …`, async () => {
  const response = await fetch(ARTIFACT);
  if (response.ok) await useArtifact(new File([await response.blob()], ARTIFACT));
});
