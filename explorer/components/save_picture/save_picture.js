// @ts-check
// One button for all pictures of the page (`img` with a `data-name`) and all close-ups, which have no room for a
// toolbar: it stands at the corner of the one under the mouse or the finger, else of the picture with the keyboard focus,
// and saves it as PNG. So does Enter. Other charts have two buttons in their toolbar, for PNG and SVG.

import { lifecycle } from "../lifecycle.js";
import { fileOf, pngOf, svgOf } from "./chart.js";

/** @typedef {{experiment: string}} Data */

const SCALE = 8; // saved pixels for one of the picture, along each side
const WIDEST = 4096; // pixels: a long film is enlarged less
const TOLD_FOR = 10_000; // milliseconds
const CLOSE_UP = '[class*="st-key-small_map_of_"] .js-plotly-plot';
const EDGE = 20; // pixels: what stands above the picture's edge stays inside the window

export default lifecycle(() => new Saver());

class Saver {
  constructor() {
    /** @type {Data} */ this.data = { experiment: "" };
    /** @type {HTMLElement | null} a picture or a close-up */ this.hovered = null;
    this.frame = 0; // the request for the next one; 0: none is under way
    this.button = document.createElement("button");
    this.button.className = "save-picture";
    this.button.textContent = "Save PNG";
    this.button.tabIndex = -1; // the keyboard has Enter, on the picture itself
    this.button.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where it is
    this.button.addEventListener("click", () => this.save(this.shown()).catch(tellFailure));
    this.follow = this.follow.bind(this);
    this.listening = new AbortController();
    const { signal } = this.listening;
    document.addEventListener("pointerover", (event) => this.onOver(event), { signal });
    document.documentElement.addEventListener("pointerleave", (event) => this.onLeave(event), { signal });
    document.addEventListener("focusin", (event) => this.onFocus(event), { signal });
    document.addEventListener("keydown", (event) => this.onKey(event), { signal });
  }

  /** @param {Data} data */
  update(data) {
    this.data = data;
  }

  remove() {
    this.listening.abort();
    cancelAnimationFrame(this.frame);
    this.button.remove();
  }

  /** @param {PointerEvent} event */
  onOver(event) {
    if (event.target === this.button) return;
    if (event.target instanceof Element) this.equip(event.target.closest(".js-plotly-plot"));
    this.hovered = pictureAt(event.target) ?? closeUpAt(event.target);
    this.start();
  }

  /** @param {FocusEvent} event */
  onFocus(event) {
    if (event.target instanceof Element) this.equip(event.target.closest(".js-plotly-plot"));
    this.start();
  }

  /** @param {PointerEvent} event */
  onLeave(event) {
    if (event.pointerType === "mouse") this.hovered = null; // a finger leaves after each tap
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const focused = event.target instanceof HTMLImageElement ? pictureAt(event.target) : null;
    if (event.key !== "Enter" || event.repeat || !focused) return;
    event.preventDefault();
    this.save(focused).catch(tellFailure);
  }

  /** The picture, or the close-up, that the button stands at. @returns {HTMLElement | null} */
  shown() {
    if (this.hovered?.isConnected) return this.hovered;
    const focused = document.activeElement;
    return focused?.matches("img:focus-visible") ? pictureAt(focused) : null;
  }

  start() {
    if (!this.frame && this.shown()) this.follow();
  }

  /** Stay at the picture, frame by frame: it moves with the page, and goes when the server answers. */
  follow() {
    const picture = this.shown();
    this.frame = picture ? requestAnimationFrame(this.follow) : 0;
    if (!picture) return this.button.remove();
    const { right, top, bottom } = picture.getBoundingClientRect();
    this.button.style.left = `${right}px`;
    this.button.style.top = `${Math.min(Math.max(top, EDGE), bottom)}px`;
    const called = picture instanceof HTMLImageElement ? picture.alt : imageOptions(picture).title;
    this.button.ariaLabel = `Save PNG: ${called}`;
    if (!this.button.isConnected) document.body.append(this.button);
  }

  /** Save what is shown: the lens where it lies over the picture. @param {HTMLElement | null} picture */
  async save(picture) {
    if (!picture) return;
    if (!(picture instanceof HTMLImageElement)) return this.saveChart(picture, "PNG");
    const { experiment } = this.data;
    const lens = /** @type {HTMLCanvasElement | null} */ (picture.closest("figure")?.querySelector(".lens") ?? null);
    const { width, height } = lens ?? { width: picture.naturalWidth, height: picture.naturalHeight };
    const scale = Math.max(1, Math.min(SCALE, Math.floor(WIDEST / width)));
    const canvas = new OffscreenCanvas(scale * width, scale * height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.imageSmoothingEnabled = false;
    context.drawImage(lens ?? picture, 0, 0, canvas.width, canvas.height);
    download(await canvas.convertToBlob(), `${[experiment, picture.dataset.name].filter(Boolean).join("-")}.png`);
  }

  /** Give a chart's toolbar, which Plotly makes anew now and then, its buttons. @param {any} chart */
  equip(chart) {
    const group = chart?.querySelector(".modebar-group");
    if (!group || chart.querySelector(".save-chart")) return;
    const own = group.cloneNode(false);
    own.append(...["PNG", "SVG"].map((format) => this.chartButton(chart, format)));
    group.before(own);
  }

  /** @param {any} chart @param {string} format */
  chartButton(chart, format) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "modebar-btn save-chart";
    made.textContent = format;
    made.dataset.title = made.ariaLabel = `Save as ${format}`;
    made.addEventListener("click", () => this.saveChart(chart, format).catch(tellFailure));
    return made;
  }

  /** @param {any} chart @param {string} format */
  async saveChart(chart, format) {
    const { filename, title } = imageOptions(chart);
    const svg = await svgOf(chart, title && [title, this.data.experiment].filter(Boolean).join(", "));
    download(format === "SVG" ? fileOf(svg) : await pngOf(svg), `${filename}.${format.toLowerCase()}`);
  }
}

/** How a chart is called, see `latent_map.chart`. @param {any} chart @returns {{filename: string, title: string}} */
function imageOptions(chart) {
  return chart._context.toImageButtonOptions;
}

/** @param {Blob} file @param {string} name */
function download(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be reading it
}

/** Say that nothing was saved, for a while. @param {unknown} error */
function tellFailure(error) {
  document.querySelector(".save-failure")?.remove();
  const told = document.createElement("div");
  told.className = "save-failure";
  told.role = "alert";
  told.textContent = `Not saved: this browser cannot make the picture (${error}). Try another browser, or a screenshot.`;
  document.body.append(told);
  setTimeout(() => told.remove(), TOLD_FOR);
}

/** The picture at a place of the page; lenses and marks lie over some. @param {EventTarget | null} place */
function pictureAt(place) {
  if (!(place instanceof Element)) return null;
  const picture = place.closest("img[data-name]") ?? place.closest("figure, .film > div")?.querySelector("img[data-name]");
  return /** @type {HTMLImageElement | null} */ (picture ?? null);
}

/** The close-up at a place of the page. @param {EventTarget | null} place @returns {HTMLElement | null} */
function closeUpAt(place) {
  return place instanceof Element ? place.closest(CLOSE_UP) : null;
}
