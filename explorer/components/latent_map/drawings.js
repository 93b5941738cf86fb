// @ts-check
// The drawings of the wall at their codes, all of them: the later ones on top, the newest ringed. What lies beyond the
// edge of the map stands at the edge, pale.

import { cleared } from "./images.js";
import { inside, screenPointOf } from "./plotly.js";

/** What `wall.js` leaves in `latentWall` for the overlay of a map: see `OnMap`.
 * @typedef {{points: Float32Array, image: HTMLImageElement, columns: number, size: number, own: boolean[]}} OnMap */

const PICTURE = 28; // of a drawing without its frame, in pixels
const PALE = 0.6; // of what lies beyond the edge
const [THIN, THICK] = [1, 3]; // pixels: the frames of others' drawings, and of one's own
const RING = 25; // the radius, in pixels
const [GREY, RED] = ["#9a9a9a", "#e5352b"];

export class Drawings {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "map-drawings";
    this.canvas.ariaHidden = "true";
  }

  remove() {
    this.canvas.remove();
  }

  /** @param {any} chart @param {OnMap | undefined} drawings */
  draw(chart, drawings) {
    if (!drawings) return this.remove();
    const context = cleared(this.canvas, chart);
    const box = chart.getBoundingClientRect();
    const { points, image, columns, size, own } = drawings;
    let [x, y] = [0, 0];
    for (let at = 0; at < own.length; at++) {
      const code = screenPointOf(chart, [points[2 * at], points[2 * at + 1]]);
      const shown = inside(chart, code, PICTURE / 2 + THICK);
      [x, y] = [Math.round(shown.x - box.left), Math.round(shown.y - box.top)];
      context.globalAlpha = shown.x === code.x && shown.y === code.y ? 1 : PALE;
      const [left, top] = [x - PICTURE / 2, y - PICTURE / 2];
      const frame = own[at] ? THICK : THIN;
      context.fillStyle = own[at] ? RED : GREY;
      context.fillRect(left - frame, top - frame, PICTURE + 2 * frame, PICTURE + 2 * frame);
      const [u, v] = [(at % columns) * size, Math.floor(at / columns) * size];
      context.drawImage(image, u, v, size, size, left, top, PICTURE, PICTURE);
    }
    context.globalAlpha = 1;
    // Light below and dark above, as all marks: it stands out on codes, decodes and both themes.
    for (const [colour, width] of /** @type {[string, number][]} */ ([["white", 5.5], ["black", 2.5]])) {
      context.beginPath();
      context.arc(x, y, RING, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }
}
