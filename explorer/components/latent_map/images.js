// @ts-check
// The images face of a map: originals at their codes, as many as fit without overlap, more as one zooms in.

import { axesOf, toPixel } from "./plotly.js";

const SIZE = 30; // of an image with its frame, in pixels
const FRAME = 2; // pixels, in the class' colour

export class Images {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "map-images";
    this.canvas.ariaHidden = "true";
  }

  remove() {
    this.canvas.remove();
  }

  /** Draw them where the chart asks for them and the originals are here. @param {any} chart @param {any} codes */
  draw(chart, codes) {
    const originals = /** @type {any} */ (globalThis).latentOriginals;
    const meta = chart.layout?.meta;
    if (!meta?.images || !codes || !originals || chart.classList.contains("filmed")) return this.remove();
    const { xaxis, yaxis } = axesOf(chart);
    const context = cleared(this.canvas, chart);
    const { image, size, columns } = originals;
    const inner = SIZE - 2 * FRAME;
    for (const code of spacedCodes(codes, xaxis, yaxis)) {
      const left = Math.round(xaxis._offset + toPixel(xaxis, codes.points[2 * code]) - SIZE / 2);
      const top = Math.round(yaxis._offset + yaxis._length - toPixel(yaxis, codes.points[2 * code + 1]) - SIZE / 2);
      context.fillStyle = meta.colours[codes.labels[code]];
      context.fillRect(left, top, SIZE, SIZE);
      const [u, v] = [(code % columns) * size, Math.floor(code / columns) * size];
      context.drawImage(image, u, v, size, size, left + FRAME, top + FRAME, inner, inner);
    }
  }
}

/** Lay an empty canvas over a chart; what is drawn on it, in the chart's pixels, stays within the axes.
 * @param {HTMLCanvasElement} canvas @param {any} chart @returns {CanvasRenderingContext2D} */
export function cleared(canvas, chart) {
  if (canvas.parentNode !== chart) chart.append(canvas);
  const [width, height] = [chart.clientWidth, chart.clientHeight];
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const { xaxis, yaxis } = axesOf(chart);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.imageSmoothingEnabled = false;
  context.beginPath();
  context.rect(xaxis._offset, yaxis._offset, xaxis._length, yaxis._length);
  context.clip();
  return context;
}

/** Codes of which no two images overlap. Those of earlier images first, in cells that stay as the map is panned.
 * @param {any} codes @param {any} xaxis @param {any} yaxis @returns {number[]} */
export function spacedCodes(codes, xaxis, yaxis) {
  const unit = Math.abs(xaxis.range[1] - xaxis.range[0]) / xaxis._length; // of the map, a pixel
  const cell = 2 ** Math.ceil(Math.log2(SIZE * unit)); // the same for nearly equal zooms
  const [[x0, x1], [y0, y1]] = [xaxis.range, yaxis.range];
  const reach = SIZE * unit;
  /** @type {Map<string, number[]>} */ const cells = new Map();
  /** @type {number[]} */ const found = [];
  for (let code = 0; code < codes.labels.length; code++) {
    const [x, y] = [codes.points[2 * code], codes.points[2 * code + 1]];
    if (x < x0 - reach || x > x1 + reach || y < y0 - reach || y > y1 + reach) continue;
    const [column, row] = [Math.floor(x / cell), Math.floor(y / cell)];
    if (overlaps(codes, cells, x, y, column, row, reach)) continue;
    const key = `${column},${row}`;
    cells.set(key, [...(cells.get(key) ?? []), code]);
    found.push(code);
  }
  return found;
}

/** @param {any} codes @param {Map<string, number[]>} cells @param {number} x @param {number} y
 * @param {number} column @param {number} row @param {number} reach */
function overlaps(codes, cells, x, y, column, row, reach) {
  for (let i = -1; i <= 1; i++) {
    for (let j = -1; j <= 1; j++) {
      for (const other of cells.get(`${column + i},${row + j}`) ?? []) {
        if (Math.abs(codes.points[2 * other] - x) < reach && Math.abs(codes.points[2 * other + 1] - y) < reach) return true;
      }
    }
  }
  return false;
}
