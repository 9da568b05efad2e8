/**
 * Works the page in headless Chromium as a person would, for tests, measurements and the screenshot:
 *
 *     node drive.mjs CHROMIUM URL [FLAG…]
 *
 * Each line of its input is a step in JSON, `{"step": "choose", "files": ["eagle.jpg"]}`; each line of its output is
 * what came of it. Ends with its input.
 */

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"];

const [executablePath, url, ...flags] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: [...FLAGS, ...flags] });
const page = await browser.newPage({ viewport: { width: 1000, height: 740 }, deviceScaleFactor: 1.5 });
const requests = [];
const complaints = []; // exceptions that the page did not catch, and what the browser refused
page.on("request", (request) => requests.push(request.url()));
page.on("pageerror", (error) => complaints.push(error.message));
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));

/** What the page says, once it has done what it was told. */
async function look() {
  await page.waitForFunction(() => !document.body.hasAttribute("aria-busy"), null, { timeout: 300_000 });
  const text = async (selector) => (await page.locator(selector).allInnerTexts()).join("");
  return {
    caption: await text("#caption"),
    error: (await page.locator("#error").isVisible()) ? await text("#error") : "",
    faded: await page.locator(".classes").evaluate((classes) => getComputedStyle(classes).opacity !== "1"),
    status: await text("#status"),
    classes: await page.locator("#list button span:first-child").allInnerTexts(),
    choosable: await page.locator("#list button:enabled").count(),
  };
}

const steps = {
  look,
  /** Chooses a file: an artifact or a photo. */
  async choose({ file }) {
    await page.locator(file.endsWith(".onnx") ? "#artifact-file" : ".files .photo-file").setInputFiles(file);
    return look();
  },
  /** Drops a photo onto the page. */
  async drop({ file }) {
    const content = (await readFile(file)).toString("base64");
    await page.evaluate(
      ([base64, name]) => {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], name));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      },
      [content, basename(file)],
    );
    return look();
  },
  /** Searches for a class and takes the first that is found. */
  async explain({ name }) {
    await page.locator("#query").fill(name);
    await page.locator("#query").press("Enter");
    return look();
  },
  /** Writes a text, or two, and has it explained. */
  async write({ texts }) {
    if (texts.length > 1 && (await page.locator("#more").isVisible())) await page.locator("#more").click();
    await page.locator("#text").fill(texts[0]);
    if (await page.locator("#second").isVisible()) await page.locator("#second").fill(texts[1] ?? "");
    await page.locator("#go").click();
    return look();
  },
  /** Clicks a word of the explained text. */
  async point({ word }) {
    await page.locator("#shown .w").nth(word).click();
    return { ...(await look()), detail: await page.locator("#detail").innerText() };
  },
  /** The numbers behind an explained text, and what of it is to be read. */
  words: () =>
    page.evaluate(async () => {
      const { texts, ...explanation } = (await import("./text/main.js")).shown.explanation;
      const logits = explanation.logits && [...explanation.logits.data];
      const read = [...document.querySelectorAll("#shown .text")].map((paragraph) => paragraph.textContent);
      const tokens = [...document.querySelectorAll("#shown .t")];
      const colours = tokens.map(({ className, style }) => [className, style.getPropertyValue("--s")]);
      const legend = [...document.querySelectorAll("#legend .bar span")].map((end) => end.textContent);
      const titles = [...document.querySelectorAll("#shown [title]")].map(({ title }) => title);
      const whole = texts.map((chars) => chars.join(""));
      return { ...explanation, encoded: null, texts: whole, logits, read, colours, legend, titles };
    }),
  /** Clicks on the picture, at parts of its height and width. */
  async click({ at: [down, across] }) {
    const { width, height } = await page.locator("#picture").boundingBox();
    await page.locator("#picture").click({ position: { x: across * width, y: down * height } });
    return look();
  },
  /** What is drawn, as a PNG in base64; the outline of what the model saw, and the mark, in parts of the picture. */
  drawn: () =>
    page.evaluate(() => {
      const picture = document.getElementById("picture");
      const whole = picture.getBoundingClientRect();
      const sidesOf = (id) => {
        const part = document.getElementById(id).getBoundingClientRect();
        const sides = [part.left - whole.left, part.top - whole.top, part.right - whole.left, part.bottom - whole.top];
        return part.width ? sides.map((side, place) => side / (place % 2 ? whole.height : whole.width)) : null;
      };
      const mark = document.getElementById("mark").hidden ? null : document.getElementById("mark").className;
      const [photo, overlay] = [...picture.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL().split(",")[1]);
      return { photo, overlay, outline: sidesOf("part"), mark, marked: sidesOf("mark") };
    }),
  /** The numbers behind the picture. */
  numbers: () =>
    page.evaluate(async () => {
      const { photo, explanation, map } = (await import("./main.js")).shown;
      const { scaleOf, strengthOf } = await import("./scale.js");
      const { logits, maps, targets } = explanation;
      const scaled = (values, signed) => [...strengthOf(values, scaleOf(values, signed))];
      const strength = scaled(maps[map], false);
      const mean = maps[map].reduce((sum, value) => sum + value, 0) / maps[map].length;
      const signed = scaled(maps[map].map((value) => value - mean), true);
      const saliency = maps.flatMap((each) => [...each]);
      const bar = document.getElementById("bar").getContext("2d").getImageData(0, 0, 256, 1).data;
      const ends = ["low", "high"].map((end) => document.getElementById(end).textContent);
      const shades = { strength, signed, ends, bar: [...bar] };
      return { pixels: [...photo.pixels], logits: [...logits.data], saliency, targets, map, ...shades };
    }),
  /** The milliseconds of some calls on the photo that is shown. */
  time: ({ calls }) =>
    page.evaluate(async (count) => {
      const { session, photo } = (await import("./main.js")).shown;
      const times = [];
      while (times.length < count) times.push((await session.explain(photo.pixels)).milliseconds);
      return times;
    }, calls),
  async screenshot({ path, width, height, scheme = "light", quality = 82 }) {
    await page.emulateMedia({ colorScheme: scheme });
    if (width) await page.setViewportSize({ width, height });
    await page.screenshot({ path, type: "jpeg", quality });
  },
  /** How wide the page is, beyond the screen too. */
  width: () => page.evaluate(() => document.documentElement.scrollWidth),
  /** Where an element is on the screen. */
  box: ({ of }) => page.locator(of).boundingBox(),
  /** Where the page has asked for anything, and what went wrong unseen. */
  traffic: () => ({ requests, complaints }),
};

await page.goto(url);
for await (const line of createInterface({ input: process.stdin })) {
  const { step, ...options } = JSON.parse(line);
  console.log(JSON.stringify((await steps[step](options)) ?? null));
}
await browser.close();
