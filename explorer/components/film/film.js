// @ts-check
// The film of a fit: codes glide between the recorded moments over the maps' own charts, and a line over the curves
// follows. It plays at the screen's rate; the server hears only where it was stopped.

import { lifecycle } from "../lifecycle.js";
import { drawMarks, element } from "../latent_map/marks.js";
import { axesOf, toPixel } from "../latent_map/plotly.js";
import { fillSymbol } from "../latent_map/symbols.js";

/** @typedef {{chart: string, points: string, low: number, span: number}} Trajectories */
/** @typedef {{trajectories: Trajectories[], labels: number[], names: string[], colours: string[],
 *    symbols: string[], circled: boolean, moments: number[], at: number, curves: string, when: number[]}} Data */

const MOMENT_SECONDS = 0.6; // from one moment to the next, at normal speed
const SPEEDS = [0.5, 1, 2, 4];
const RADIUS = 2.5; // of a code, in pixels
const OPACITY = 0.75;
const FAINT = 0.12; // of a greyed class
const GREY = "#9a9a9a";
const LABEL = 11.5; // the radius of a class' label
const BELOW = 15; // pixels from the middle of a class' mark to a name that is too long for a label

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
    /** @type {Map<string, {points: Float32Array, canvas: HTMLCanvasElement}>} */ this.maps = new Map();
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
    // Charts come and go; and the legend greys classes out.
    this.changes = new MutationObserver((records) => {
      const isOurs = (/** @type {Node} */ node) => node instanceof Element && node.closest(".map-overlay, .film-controls");
      if (!records.every(({ target }) => isOurs(target))) this.changed();
    });
    const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-pressed"] };
    this.changes.observe(document.body, watched);
    this.resize = new ResizeObserver(this.draw);
    /** @type {WeakSet<object>} */ this.heard = new WeakSet(); // Plotly's event emitters, a new one after each purge
  }

  /** @param {Data} data @param {(event: string, value: unknown) => void} report */
  update(data, report) {
    const before = this.data;
    this.report = report;
    this.data = data;
    if (JSON.stringify(before?.trajectories) !== JSON.stringify(data.trajectories)) {
      this.clear();
      for (const each of data.trajectories) {
        const canvas = document.createElement("canvas");
        canvas.className = "film-codes";
        canvas.ariaHidden = "true";
        this.maps.set(each.chart, { points: unpack(each), canvas });
      }
      this.playing = false;
      this.position = data.at;
    } else if (before?.at !== data.at && !this.playing) this.position = data.at;
    this.slider.max = String(data.moments.length - 1);
    this.changed();
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.changes.disconnect();
    this.resize.disconnect();
    this.clear();
    this.moment.remove();
    this.root.remove();
    this.data = null;
  }

  clear() {
    for (const [key, { canvas }] of this.maps) {
      canvas.remove();
      chartOf(key)?.classList.remove("filmed");
    }
    this.maps.clear();
  }

  /** Take hold of charts that have come, and paint. */
  changed() {
    if (!this.data) return;
    for (const [key, { canvas }] of this.maps) {
      const chart = chartOf(key);
      if (!chart) continue;
      if (canvas.parentNode !== chart) chart.append(canvas);
      if (!chart.classList.contains("filmed")) chart.classList.add("filmed");
      this.listen(chart);
    }
    const curves = chartOf(this.data.curves);
    if (curves && this.moment.parentNode !== curves) curves.append(this.moment);
    if (curves) this.listen(curves);
    this.draw();
  }

  /** @param {any} chart */
  listen(chart) {
    if (this.heard.has(chart._ev)) return;
    this.heard.add(chart._ev);
    for (const event of ["plotly_afterplot", "plotly_relayout", "plotly_relayouting"]) chart.on(event, this.draw);
    this.resize.observe(chart);
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
        this.position += (((now - this.last) / 1000) * Number(this.speed.value)) / MOMENT_SECONDS;
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
    setText(this.told, `after ${updates} training steps`);
    if (document.activeElement !== this.slider || this.playing) this.slider.value = String(position);
    this.slider.ariaValueText = `${updates} training steps`;
    for (const [key, map] of this.maps) {
      const chart = chartOf(key);
      if (chart && map.canvas.parentNode === chart) this.paintMap(chart, map, from, to, part);
    }
    const curves = chartOf(data.curves);
    if (!curves) return;
    const panels = /** @type {any[]} */ (Object.values(curves._fullLayout._plots));
    const mark = { kind: /** @type {const} */ ("moment"), points: [[between(data.when), 0]] };
    this.moment.replaceChildren(...panels.map((panel) => drawMarks(panel, [mark])));
  }

  /** @param {any} chart @param {{points: Float32Array, canvas: HTMLCanvasElement}} map
   * @param {number} from @param {number} to @param {number} part */
  paintMap(chart, { points, canvas }, from, to, part) {
    const data = /** @type {Data} */ (this.data);
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
    const greyed = greyedClasses();
    const n = data.labels.length;
    const [left, bottom] = [xaxis._offset, yaxis._offset + yaxis._length];
    /** @type {number[][][]} */ const classes = data.names.map(() => []);
    for (let i = 0; i < n; i++) {
      const [a, b] = [2 * (from * n + i), 2 * (to * n + i)];
      const x = points[a] + part * (points[b] - points[a]);
      const y = points[a + 1] + part * (points[b + 1] - points[a + 1]);
      classes[data.labels[i]].push([left + toPixel(xaxis, x), bottom - toPixel(yaxis, y)]);
    }
    classes.forEach((pixels, label) => {
      const isGrey = greyed.has(label);
      context.fillStyle = isGrey ? GREY : data.colours[label];
      context.globalAlpha = isGrey ? FAINT : OPACITY;
      for (const [x, y] of pixels) {
        fillSymbol(context, data.symbols[label], x, y, RADIUS);
      }
    });
    context.font = data.circled ? "18px sans-serif" : "600 13px sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    classes.forEach((pixels, label) => {
      if (!pixels.length) return;
      const isGrey = greyed.has(label);
      const [x, y] = [0, 1].map((axis) => median(pixels.map((pixel) => pixel[axis])));
      context.globalAlpha = isGrey ? 0.4 : 1;
      if (!data.circled) {
        context.fillStyle = isGrey ? GREY : data.colours[label];
        fillSymbol(context, data.symbols[label], x, y, LABEL / 2);
        context.lineWidth = 4;
        context.lineJoin = "round";
        context.strokeStyle = "white";
        context.strokeText(data.names[label], x, y + BELOW);
        context.fillStyle = "black";
        context.fillText(data.names[label], x, y + BELOW);
        return;
      }
      context.beginPath();
      context.arc(x, y, LABEL, 0, 2 * Math.PI);
      context.fillStyle = "white";
      context.fill();
      context.lineWidth = 2.5;
      context.strokeStyle = isGrey ? GREY : data.colours[label];
      context.stroke();
      context.fillStyle = "black";
      context.fillText(data.names[label], x, y + 1);
    });
    context.restore();
  }
}

/** @param {string} key @returns {any} a chart that is drawn */
function chartOf(key) {
  const chart = /** @type {any} */ (document.querySelector(`.st-key-${key} .js-plotly-plot`));
  return chart?._fullLayout?._plots && chart.on ? chart : null;
}

/** The classes that the page's legend greys out. */
function greyedClasses() {
  const chips = [...document.querySelectorAll(".classes button")];
  return new Set(chips.flatMap((chip, label) => (chip.ariaPressed === "false" ? [label] : [])));
}

/** @param {Trajectories} trajectories */
function unpack({ points, low, span }) {
  const bytes = Uint8Array.from(atob(points), (each) => each.charCodeAt(0));
  const steps = new Uint16Array(bytes.buffer);
  return Float32Array.from(steps, (step) => low + (step / 65535) * span);
}

/** @param {number[]} values */
function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {HTMLElement} place @param {string} text */
function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
