// @ts-check
// When a chart shows the same images' codes of another model, they glide there: what moved, and how, is to be seen.

import { axesOf, toPixel } from "./plotly.js";

/** @typedef {{x: ArrayLike<number>, y: ArrayLike<number>, colour: string, opacity: number}} Cloud */

const DURATION = 700; // milliseconds
const RADIUS = 2.5; // of a dot, in pixels

export class Glide {
  constructor() {
    /** @type {Cloud[]} */ this.clouds = []; // that the chart showed last
    this.canvas = document.createElement("canvas");
    this.canvas.className = "film-codes";
    this.canvas.ariaHidden = "true";
    this.frame = 0;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.canvas.parentElement?.classList.remove("gliding");
    this.canvas.remove();
  }

  /** To be called when the chart was drawn. @param {any} chart */
  look(chart) {
    const before = this.clouds;
    this.clouds = cloudsOf(chart);
    if (!moved(before, this.clouds)) return;
    this.remove();
    if (this.still.matches || document.hidden || chart.classList.contains("filmed")) return;
    chart.append(this.canvas);
    chart.classList.add("gliding");
    const started = performance.now();
    const step = (/** @type {number} */ now) => {
      const part = Math.min((now - started) / DURATION, 1);
      if (part === 1) return this.remove();
      this.paint(chart, before, part * part * (3 - 2 * part));
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  /** @param {any} chart @param {Cloud[]} before @param {number} part */
  paint(chart, before, part) {
    const { canvas } = this;
    const { xaxis, yaxis } = axesOf(chart);
    const [width, height, scale] = [chart.clientWidth, chart.clientHeight, devicePixelRatio];
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.beginPath();
    context.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length);
    context.clip();
    this.clouds.forEach((cloud, at) => {
      context.fillStyle = cloud.colour;
      context.globalAlpha = cloud.opacity;
      const from = before[at];
      for (let i = 0; i < cloud.x.length; i++) {
        const x = xaxis._offset + toPixel(xaxis, from.x[i] + part * (cloud.x[i] - from.x[i]));
        const y = yaxis._offset + yaxis._length - toPixel(yaxis, from.y[i] + part * (cloud.y[i] - from.y[i]));
        context.beginPath();
        context.arc(x, y, RADIUS, 0, 2 * Math.PI);
        context.fill();
      }
    });
  }
}

/** @param {any} chart @returns {Cloud[]} */
function cloudsOf(chart) {
  return chart._fullData
    .filter((/** @type {any} */ trace) => trace.legendgroup && trace.name !== "label")
    .map((/** @type {any} */ { x, y, marker }) => ({ x, y, colour: marker.color, opacity: marker.opacity ?? 1 }));
}

/** Whether the same codes stand elsewhere. @param {Cloud[]} before @param {Cloud[]} now */
function moved(before, now) {
  if (!now.length || before.length !== now.length) return false;
  if (now.some(({ x }, at) => x.length !== before[at].x.length)) return false;
  return now.some(({ x, y }, at) => x[0] !== before[at].x[0] || y[0] !== before[at].y[0]);
}
