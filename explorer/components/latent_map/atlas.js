// @ts-check
// Unpacks the atlas of a map, and keeps it where the overlay of that map finds it: `latentAtlases`, by the chart's key, and
// that of its crowd, which is finer, by this and `/crowd`; that of a model that is being fitted by this and `/live`.
// One that cannot be unpacked stands there as its data alone.

import { lifecycle } from "../lifecycle.js";
import { loadPicture } from "../pictures.js";

/** @typedef {{chart: string, part: string, id: string, left: number, top: number, side: number, n: number, image: string}} Data */

export default lifecycle(() => new Keeper());

/** Keeps the atlas of one map. */
class Keeper {
  constructor() {
    /** @type {Data | null} */ this.data = null; // of which the atlas is, or is being unpacked
    /** @type {Atlas | {data: Data} | null} */ this.atlas = null;
    /** @type {Map<string, Atlas | {data: Data}>} */
    this.atlases = /** @type {any} */ (globalThis).latentAtlases ??= new Map();
  }

  /** @param {Data} data */
  async update(data) {
    if (this.data?.id === data.id && nameOf(this.data) === nameOf(data) && this.data.image === data.image) return;
    this.data = data;
    const atlas = await unpack(data).catch((error) => {
      console.error(error);
      return { data };
    });
    if (this.data !== data) return; // another has come meanwhile, or the map has gone
    this.atlas = atlas;
    this.atlases.set(nameOf(data), atlas);
    document.dispatchEvent(new Event("latent-atlas"));
  }

  remove() {
    const name = this.data ? nameOf(this.data) : "";
    if (this.atlas && this.atlases.get(name) === this.atlas) this.atlases.delete(name);
    this.data = null;
  }
}

/** @param {Data} data */
function nameOf({ chart, part }) {
  return part ? `${chart}/${part}` : chart;
}

/** @param {Data} data */
async function unpack(data) {
  const image = await loadPicture(data.image);
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { willReadFrequently: true }) // in memory: from a graphics card it is read slowly
  );
  context.drawImage(image, 0, 0);
  const colours = context.getImageData(0, 0, image.width, image.height).data;
  const grey = new Uint8ClampedArray(colours.length / 4);
  for (let pixel = 0; pixel < grey.length; pixel++) grey[pixel] = colours[4 * pixel]; // red is as good as any
  return new Atlas(data, image.width, grey);
}

class Atlas {
  /** @param {Data} data @param {number} width @param {Uint8ClampedArray} grey */
  constructor(data, width, grey) {
    this.data = data;
    this.width = width;
    this.grey = grey;
    this.size = width / data.n; // of a decode, in pixels
  }

  /** Whether it holds the decode of a point. @param {number} x @param {number} y */
  has(x, y) {
    const { left, top, side } = this.data;
    return x >= left && x <= left + side && y <= top && y >= top - side;
  }

  /** The decode of a point: grey values in reading order; null outside the atlas.
   * @param {number} x @param {number} y */
  decode(x, y) {
    const { left, top, side, n } = this.data;
    const [column, across] = weights(((x - left) / side) * (n - 1), n);
    const [row, down] = weights(((top - y) / side) * (n - 1), n);
    if (!across || !down) return null;
    const decode = new Uint8ClampedArray(this.size ** 2);
    for (let pixel = 0, v = 0; v < this.size; v++) {
      for (let u = 0; u < this.size; u++, pixel++) {
        let value = 0;
        for (let i = 0; i < 4; i++) {
          const start = (v * n + row[i]) * this.width + u * n;
          let line = 0;
          for (let j = 0; j < 4; j++) line += across[j] * this.grey[start + column[j]];
          value += down[i] * line;
        }
        decode[pixel] = value;
      }
    }
    return decode;
  }
}

/** Catmull and Rom's cubic: which four nodes, and how much of each; no weights outside.
 * @param {number} at a position in nodes, the first at 0 @param {number} n how many
 * @returns {[number[], number[] | null]} */
function weights(at, n) {
  if (!(at >= 0 && at <= n - 1)) return [[], null];
  const first = Math.min(Math.floor(at), n - 2);
  const t = at - first;
  const nodes = [-1, 0, 1, 2].map((step) => Math.min(Math.max(first + step, 0), n - 1));
  return [
    nodes,
    [((2 - t) * t - 1) * t, (3 * t - 5) * t * t + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t * t].map((w) => w / 2),
  ];
}
