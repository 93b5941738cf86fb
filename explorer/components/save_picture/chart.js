// @ts-check
// A chart as one SVG, as it stands on the page: Plotly's layers, the marks over them, the title of a map and its classes.

import { element } from "../latent_map/marks.js";
import { cornersOf } from "../latent_map/symbols.js";

/** @typedef {{left: number, top: number, right: number, bottom: number}} Edges */

const TIMES = 2; // so large is a saved chart, compared with the one on the page
const LINE = 30; // pixels: the height of the title, and of the legend
const PADDING = 8; // pixels beside them
const FONT_SIZE = 18;
const DOT = 7; // radius in the legend, in pixels
const STYLED = "text, tspan, .annotation .bg";
const STYLES = ["fill", "stroke", "stroke-width", "stroke-linejoin", "paint-order", "font-family", "font-size", "font-weight"];
const NOT_SEEN = ".updatemenu-container, .draglayer, .hoverlayer";

/** @param {any} chart Plotly's @param {string} title above it; empty: none @returns {Promise<SVGElement>} */
export async function svgOf(chart, title) {
  const isMap = chart.closest('[class*="st-key-stage_map_of_"], [class*="st-key-small_map_of_"]') !== null;
  const chips = isMap ? /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".classes button")]) : [];
  const { left, top, right, bottom } = edgesOf(chart);
  const page = getComputedStyle(chart.closest(".stApp") ?? document.body);
  const columns = columnsOf(chips, right - left, page.fontFamily);
  const [above, below] = [title ? LINE : 0, LINE * Math.ceil(chips.length / columns)];
  const [width, height] = [right - left, bottom - top + above + below];
  const svg = element("svg", {
    xmlns: "http://www.w3.org/2000/svg",
    width: TIMES * width, height: TIMES * height, viewBox: `${left} ${top - above} ${width} ${height}`,
    fill: page.color, "font-family": page.fontFamily, "font-size": FONT_SIZE, "font-weight": 600,
  });
  const style = element("style", {});
  style.textContent = await typeface(page.fontFamily);
  svg.append(style, element("rect", { x: left, y: top - above, width, height, fill: page.backgroundColor }));
  svg.append(...layersOf(chart).map(copyOf));
  if (title) svg.append(line(title, left, top - above, width, page.fontFamily));
  const place = (/** @type {number} */ at) => [left + ((at % columns) * width) / columns, bottom + LINE * Math.floor(at / columns)];
  svg.append(...chips.map((chip, at) => entry(chip, place(at)[0], place(at)[1])));
  return svg;
}

/** @param {SVGElement} svg @returns {Promise<Blob>} */
export async function pngOf(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(fileOf(svg));
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return canvas.convertToBlob();
}

/** @param {SVGElement} svg */
export function fileOf(svg) {
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

/** Of a chart, or of its titles where these are longer: in the chart's own pixels. @param {Element} chart @returns {Edges} */
function edgesOf(chart) {
  const box = chart.getBoundingClientRect();
  const boxes = [...chart.querySelectorAll(".infolayer text")]
    .filter((text) => text.checkVisibility())
    .map((text) => text.getBoundingClientRect());
  return {
    left: Math.min(0, ...boxes.map((each) => each.left - box.left)),
    top: Math.min(0, ...boxes.map((each) => each.top - box.top)),
    right: Math.max(box.width, ...boxes.map((each) => each.right - box.left)),
    bottom: Math.max(box.height, ...boxes.map((each) => each.bottom - box.top)),
  };
}

/** What is drawn, the lowest first. @param {Element} chart */
function layersOf(chart) {
  const layers = [...chart.querySelectorAll("svg.main-svg, canvas:not(.gl-canvas-pick), svg.map-overlay")];
  const height = (/** @type {Element} */ layer) => Number.parseInt(getComputedStyle(layer).zIndex) || 0;
  return layers
    .filter((layer) => layer.checkVisibility({ visibilityProperty: true }))
    .sort((one, other) => height(one) - height(other));
}

/** @param {Element} layer that begins at the chart's corner */
function copyOf(layer) {
  const { width, height } = layer.getBoundingClientRect();
  if (layer instanceof HTMLCanvasElement) return element("image", { href: layer.toDataURL(), width, height });
  const copy = /** @type {SVGElement} */ (layer.cloneNode(true));
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.setAttribute("overflow", "visible"); // of a long title nothing is cut off
  // A file has no style sheet: what that of the page says of texts, and of what they lie on, goes with them.
  const styled = layer.querySelectorAll(STYLED);
  for (const [at, each] of /** @type {NodeListOf<SVGElement>} */ (copy.querySelectorAll(STYLED)).entries()) {
    const seen = getComputedStyle(styled[at]);
    for (const name of STYLES) each.style.setProperty(name, seen.getPropertyValue(name));
  }
  for (const each of copy.querySelectorAll(NOT_SEEN)) each.remove();
  return copy;
}

/** How many classes of the legend fit side by side. @param {HTMLElement[]} chips @param {number} width @param {string} family */
function columnsOf(chips, width, family) {
  const widest = Math.max(0, ...chips.map((chip) => widthOf(chip.textContent ?? "", family)));
  const each = 2 * PADDING + 2 * DOT + widest;
  return Math.max(1, Math.min(chips.length, Math.floor(width / each)));
}

/** @param {string} text @param {string} family */
function widthOf(text, family) {
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1, 1).getContext("2d"));
  context.font = `600 ${FONT_SIZE}px ${family}`;
  return context.measureText(text).width;
}

/** The title, smaller where it would not fit.
 * @param {string} text @param {number} left @param {number} top @param {number} width @param {string} family */
function line(text, left, top, width, family) {
  const size = FONT_SIZE * Math.min(1, (width - 2 * PADDING) / widthOf(text, family));
  const made = element("text", { x: left + PADDING, y: top + LINE / 2, "dominant-baseline": "central", "font-size": size });
  made.textContent = text;
  return made;
}

/** A class of the legend. @param {HTMLElement} chip @param {number} left @param {number} top */
function entry(chip, left, top) {
  const made = element("g", { class: "class" });
  const [x, y] = [left + PADDING + DOT, top + LINE / 2];
  const name = element("text", { x: x + DOT + PADDING / 2, y, "dominant-baseline": "central" });
  name.textContent = chip.textContent;
  const fill = getComputedStyle(chip, "::before").backgroundColor;
  const corners = cornersOf(chip.dataset.symbol ?? "").map(([right, down]) => [x + DOT * right, y + DOT * down]);
  const points = corners.join(" ");
  made.append(element(points ? "polygon" : "circle", points ? { points, fill } : { cx: x, cy: y, r: DOT, fill }), name);
  return made;
}

/** The page's typeface, as a rule with all that belongs to it: a picture loads nothing. @param {string} families */
async function typeface(families) {
  const [family] = families.split(",");
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (!(rule instanceof CSSFontFaceRule)) continue;
      const { fontFamily, fontStyle, src } = /** @type {any} */ (rule.style);
      const address = /url\("(.+?)"\)/.exec(src)?.[1];
      if (fontFamily !== family || fontStyle === "italic" || !address) continue;
      const file = await (await fetch(new URL(address, sheet.href ?? location.href))).blob();
      return rule.cssText.replace(address, await dataUri(file));
    }
  }
  return "";
}

/** @param {Blob} file @returns {Promise<string>} */
function dataUri(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(/** @type {string} */ (reader.result)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
