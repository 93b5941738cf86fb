// @ts-check
// Codes between two moments of a fit, painted over the chart of a map, whose own are hidden meanwhile.

import { placeNames } from "../latent_map/names.js";
import { axesOf, toPixel } from "../latent_map/plotly.js";
import { fillSymbol } from "../latent_map/symbols.js";

/** @typedef {{labels: ArrayLike<number>, names: string[], colours: string[], symbols: string[], circled: boolean}} Classes
 * the class of each code, by its number; whether the names are so short that they stand in circles */

const DOT = 2.5; // the radius of a code, in pixels
const OPACITY = 0.75;
const FAINT = 0.12; // of a greyed class
const GREY = "#9a9a9a";
const LABEL = 11.5; // the radius of a class' label

const PLOT_EVENTS = ["plotly_afterplot", "plotly_relayout", "plotly_relayouting"];

/** Canvases over the charts of maps, which come and go; the codes of the charts themselves are hidden meanwhile. */
export class Canvases {
  /** @param {string} ours what the film or the fit changes itself, as a selector
   * @param {() => void} changed when charts have come, or the legend has greyed classes out
   * @param {() => void} draw when a chart was drawn, zoomed, or is of another size */
  constructor(ours, changed, draw) {
    this.draw = draw;
    /** @type {Map<string, HTMLCanvasElement>} */ this.canvases = new Map(); // by the chart's key
    this.changes = new MutationObserver((records) => {
      const isOurs = (/** @type {Node} */ node) => node instanceof Element && node.closest(ours);
      if (!records.every(({ target }) => isOurs(target))) changed();
    });
    const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-pressed"] };
    this.changes.observe(document.body, watched);
    this.resize = new ResizeObserver(draw);
    /** @type {WeakSet<object>} */ this.heard = new WeakSet(); // Plotly's event emitters, a new one after each purge
  }

  /** Lay a canvas over a chart, if it is drawn; return whether that is new. @param {string} key */
  lay(key) {
    const chart = chartOf(key);
    if (!chart) return false;
    const canvas = this.canvases.get(key) ?? document.createElement("canvas");
    this.canvases.set(key, canvas);
    canvas.className = "film-codes";
    canvas.ariaHidden = "true";
    const isNew = canvas.parentNode !== chart;
    if (isNew) chart.append(canvas);
    if (!chart.classList.contains("filmed")) chart.classList.add("filmed");
    this.listen(chart);
    return isNew;
  }

  /** A chart and the canvas over it; null if there is none. @param {string} key */
  over(key) {
    const [chart, canvas] = [chartOf(key), this.canvases.get(key)];
    return chart && canvas && canvas.parentNode === chart ? { chart, canvas } : null;
  }

  /** @param {any} chart */
  listen(chart) {
    if (this.heard.has(chart._ev)) return;
    this.heard.add(chart._ev);
    for (const event of PLOT_EVENTS) chart.on(event, this.draw);
    this.resize.observe(chart);
  }

  /** @param {string} key */
  drop(key) {
    this.canvases.get(key)?.remove();
    this.canvases.delete(key);
    chartOf(key)?.classList.remove("filmed");
  }

  remove() {
    this.changes.disconnect();
    this.resize.disconnect();
    for (const key of [...this.canvases.keys()]) this.drop(key);
  }
}

/** @param {string} key @returns {any} a chart that is drawn */
export function chartOf(key) {
  const chart = /** @type {any} */ (document.querySelector(`.st-key-${key} .js-plotly-plot`));
  return chart?._fullLayout?._plots && chart.on ? chart : null;
}

/** Paint codes on their way from one place to another, x, y, x, y, ...
 * @param {any} chart @param {HTMLCanvasElement} canvas over it
 * @param {Float32Array} from @param {Float32Array} to @param {number} part of the way, from 0 to 1
 * @param {Classes} classes */
export function paintCodes(chart, canvas, from, to, part, { labels, names, colours, symbols, circled }) {
  const { xaxis, yaxis } = axesOf(chart);
  const scale = devicePixelRatio;
  const [width, height] = [chart.clientWidth, chart.clientHeight];
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.save();
  context.beginPath();
  context.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length);
  context.clip();
  const [greyed, outlines] = [greyedClasses(), outlinesOfClasses()];
  const [left, bottom] = [xaxis._offset, yaxis._offset + yaxis._length];
  /** @type {number[][][]} */ const classes = names.map(() => []);
  for (let i = 0; i < labels.length; i++) {
    const x = from[2 * i] + part * (to[2 * i] - from[2 * i]);
    const y = from[2 * i + 1] + part * (to[2 * i + 1] - from[2 * i + 1]);
    classes[labels[i]].push([left + toPixel(xaxis, x), bottom - toPixel(yaxis, y)]);
  }
  classes.forEach((pixels, label) => {
    const isGrey = greyed.has(label);
    context.fillStyle = isGrey ? GREY : colours[label];
    context.globalAlpha = isGrey ? FAINT : OPACITY;
    context.strokeStyle = isGrey ? GREY : outlines[label] || colours[label];
    context.lineWidth = 1;
    const stands = context.strokeStyle === context.fillStyle; // out from the page by its colour alone, which spares half of the work
    for (const [x, y] of pixels) {
      fillSymbol(context, symbols[label], x, y, DOT);
      if (!stands) context.stroke();
    }
  });
  context.font = circled ? '18px "Source Sans", sans-serif' : '600 15px "Source Sans", sans-serif';
  context.textAlign = "center";
  context.textBaseline = "middle";
  const present = classes.flatMap((pixels, label) => {
    if (!pixels.length) return [];
    const [x, y] = [0, 1].map((axis) => median(pixels.map((pixel) => pixel[axis])));
    return [{ label, x, y, isFaint: greyed.has(label) }];
  });
  const places = circled ? [] : placeNames(present, present.map(({ label }) => context.measureText(names[label]).width));
  present.forEach(({ label, x, y, isFaint }, at) => {
    context.globalAlpha = isFaint ? 0.4 : 1;
    if (!circled) {
      context.fillStyle = isFaint ? GREY : colours[label];
      fillSymbol(context, symbols[label], x, y, LABEL / 2);
      const place = places[at];
      if (!place) return;
      context.lineWidth = 4;
      context.lineJoin = "round";
      context.strokeStyle = "white";
      context.strokeText(names[label], place.x, place.y);
      context.fillStyle = "black";
      context.fillText(names[label], place.x, place.y);
      return;
    }
    context.beginPath();
    context.arc(x, y, LABEL, 0, 2 * Math.PI);
    context.fillStyle = "white";
    context.fill();
    context.lineWidth = 2.5;
    context.strokeStyle = isFaint ? GREY : colours[label];
    context.stroke();
    context.fillStyle = "black";
    context.fillText(names[label], x, y + 1);
  });
  context.restore();
}

/** The classes that the page's legend greys out. */
function greyedClasses() {
  const chips = [...document.querySelectorAll(".classes button")];
  return new Set(chips.flatMap((chip, label) => (chip.ariaPressed === "false" ? [label] : [])));
}

/** The colours with which the page's legend outlines dots: on this page each class stands out. */
function outlinesOfClasses() {
  const chips = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".classes button")]);
  return chips.map((chip) => chip.style.getPropertyValue("--class-outline"));
}

/** @param {number[]} values */
function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
