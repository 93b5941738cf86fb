// @ts-check
// The film of a fit: codes glide between the recorded moments over the maps' own charts, and a line over the curves
// follows. It plays at the screen's rate; the server hears only where it was stopped.

import { lifecycle } from "../lifecycle.js";
import { drawMarks, element } from "../latent_map/marks.js";
import { Canvases, chartOf, paintCodes } from "./paint.js";

/** @typedef {{chart: string, points: string, low: number, span: number}} Trajectories */
/** @typedef {{trajectories: Trajectories[], labels: number[], names: string[], colours: string[],
 *    symbols: string[], circled: boolean, moments: number[], at: number, curves: string, when: {colour: string, at: number[]}[]}} Data */

const MOMENT_SECONDS = 0.6; // from one moment to the next, at normal speed
const SPEEDS = [0.5, 1, 2, 4];

export default lifecycle((place) => new Film(place));

class Film {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.root = place.appendChild(document.createElement("div"));
    this.root.className = "film-controls";
    this.play = this.root.appendChild(document.createElement("button"));
    this.play.type = "button";
    this.slider = this.root.appendChild(document.createElement("input"));
    Object.assign(this.slider, { type: "range", min: "0", step: "any", ariaLabel: "Training step" });
    this.told = this.root.appendChild(document.createElement("output"));
    this.speed = this.root.appendChild(document.createElement("select"));
    this.speed.ariaLabel = "Speed";
    this.speed.append(...SPEEDS.map((each) => new Option(`${each} ×`, String(each), each === 1, each === 1)));
    /** @type {Data | null} */ this.data = null;
    /** @type {Map<string, Float32Array>} */ this.points = new Map(); // of each chart, at all moments
    this.moment = element("svg", { class: "map-overlay" });
    this.position = 0; // in moments, between them while it glides
    this.playing = false;
    this.frame = 0; // the request for the next one; 0: none is under way
    this.last = 0; // when the last frame was, in milliseconds
    this.draw = this.draw.bind(this);
    this.changed = this.changed.bind(this);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.play.addEventListener("click", () => (this.playing ? this.stop() : this.start()));
    this.slider.addEventListener("input", () => this.moveTo(Number(this.slider.value)));
    this.slider.addEventListener("change", () => this.stop());
    this.slider.addEventListener("keydown", (event) => this.onKey(event));
    this.canvases = new Canvases(".map-overlay, .film-controls", this.changed, this.draw);
  }

  /** @param {Data} data @param {(event: string, value: unknown) => void} report */
  update(data, report) {
    const before = this.data;
    this.report = report;
    this.data = data;
    if (JSON.stringify(before?.trajectories) !== JSON.stringify(data.trajectories)) {
      for (const { chart } of before?.trajectories ?? []) this.canvases.drop(chart);
      this.points = new Map(data.trajectories.map((each) => [each.chart, unpack(each)]));
      this.playing = false;
      this.position = data.at;
    } else if (before?.at !== data.at && !this.playing) this.position = data.at;
    this.slider.max = String(data.moments.length - 1);
    this.changed();
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.canvases.remove();
    this.moment.remove();
    this.root.remove();
    this.data = null;
  }

  /** Take hold of charts that have come, and paint. */
  changed() {
    if (!this.data) return;
    for (const key of this.points.keys()) this.canvases.lay(key);
    const curves = chartOf(this.data.curves);
    if (curves && this.moment.parentNode !== curves) curves.append(this.moment);
    if (curves) this.canvases.listen(curves);
    this.draw();
  }

  /** From where it stands; from the end: from the beginning. */
  start() {
    if (!this.data) return;
    if (this.position >= this.data.moments.length - 1) this.position = 0;
    this.playing = true;
    this.last = performance.now();
    this.draw();
  }

  /** At the nearest recorded moment. */
  stop() {
    this.playing = false;
    this.position = Math.round(this.position);
    this.report?.("moment", this.position);
    this.draw();
  }

  /** @param {number} position */
  moveTo(position) {
    this.playing = false;
    this.position = position;
    this.draw();
  }

  /** The arrows go from moment to moment. @param {KeyboardEvent} event */
  onKey(event) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step || !this.data) return;
    event.preventDefault();
    this.moveTo(Math.min(Math.max(Math.round(this.position) + step, 0), this.data.moments.length - 1));
    this.stop();
  }

  /** Paint in the next frame, however often it is asked for. */
  draw() {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      if (!this.data) return;
      const end = this.data.moments.length - 1;
      if (this.playing) {
        const passed = Math.max(now - this.last, 0); // the first frame may have begun before the click
        this.position += ((passed / 1000) * Number(this.speed.value)) / MOMENT_SECONDS;
        this.last = now;
        if (this.position >= end) {
          this.position = end;
          this.stop();
        } else this.draw();
      }
      this.paint(this.still.matches ? Math.floor(this.position) : this.position);
    });
  }

  /** @param {number} position */
  paint(position) {
    const { data } = this;
    if (!data) return;
    const from = Math.min(Math.floor(position), data.moments.length - 1);
    const to = Math.min(from + 1, data.moments.length - 1);
    const part = position - from;
    const between = (/** @type {number[]} */ values) => values[from] + part * (values[to] - values[from]);
    const updates = Math.round(between(data.moments)).toLocaleString("en");
    setText(this.play, this.playing ? "Pause" : "Play");
    const steps = `${updates} training step${updates === "1" ? "" : "s"}`;
    setText(this.told, `after ${steps}`);
    if (document.activeElement !== this.slider || this.playing) this.slider.value = String(position);
    this.slider.ariaValueText = steps;
    const n = data.labels.length;
    for (const [key, points] of this.points) {
      const found = this.canvases.over(key);
      const at = (/** @type {number} */ moment) => points.subarray(2 * moment * n, 2 * (moment + 1) * n);
      if (found) paintCodes(found.chart, found.canvas, at(from), at(to), part, data);
    }
    const curves = chartOf(data.curves);
    if (!curves) return;
    const panels = /** @type {any[]} */ (Object.values(curves._fullLayout._plots));
    const marks = data.when.map(({ colour, at }) => ({ kind: /** @type {const} */ ("moment"), points: [[between(at), 0]], colour }));
    this.moment.replaceChildren(...panels.map((panel) => drawMarks(panel, marks)));
  }
}

/** @param {Trajectories} trajectories */
function unpack({ points, low, span }) {
  const bytes = Uint8Array.from(atob(points), (each) => each.charCodeAt(0));
  const steps = new Uint16Array(bytes.buffer);
  return Float32Array.from(steps, (step) => low + (step / 65535) * span);
}

/** @param {HTMLElement} place @param {string} text */
function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
