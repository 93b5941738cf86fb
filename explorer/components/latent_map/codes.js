// @ts-check
// Keeps what the words of a map need where its overlay finds it: the codes in `latentCodes`, by the chart's key, and the
// originals of all test images, in one picture, in `latentOriginals`.

import { lifecycle } from "../lifecycle.js";
import { loadPicture } from "../pictures.js";

/** @typedef {{chart: string, id: string, points: string, residuals: string, spacings: string, labels: string,
 *    names: string[], invisible: number}} Codes */
/** @typedef {{originals: string, size: number, columns: number}} Originals */
/** @typedef {{image: number, name: string, distance: number, kth: number, percentile: number, visible: boolean}} Near */

const SPARSITY_K = 5; // as `latent.SPARSITY_K`

export default lifecycle(() => new CodesKeeper());

class CodesKeeper {
  constructor() {
    const page = /** @type {any} */ (globalThis);
    /** @type {Codes & Originals | null} */ this.data = null;
    /** @type {Map<string, CodesOfMap>} */ this.codes = page.latentCodes ??= new Map();
    this.page = page;
  }

  /** @param {Codes & Originals} data */
  async update(data) {
    const before = this.data;
    if (before && before.id === data.id && before.chart === data.chart && before.originals === data.originals) return;
    this.data = data;
    if (data.chart) this.codes.set(data.chart, new CodesOfMap(data));
    document.dispatchEvent(new Event("latent-codes"));
    if (!data.originals) return;
    const image = await loadPicture(data.originals).catch(console.error);
    if (!image || this.data !== data) return;
    this.page.latentOriginals = { image, size: data.size, columns: data.columns };
    document.dispatchEvent(new Event("latent-codes"));
  }

  remove() {
    if (!this.data) return;
    if (this.codes.get(this.data.chart)?.id === this.data.id) this.codes.delete(this.data.chart);
    if (this.data.originals) delete this.page.latentOriginals;
    this.data = null;
  }
}

class CodesOfMap {
  /** @param {Codes} data */
  constructor({ id, points, residuals, spacings, labels, names, invisible }) {
    this.id = id;
    this.points = floats(points);
    this.residuals = floats(residuals); // how far from the plane each code is
    this.spacings = floats(spacings); // each code's distance to its `SPARSITY_K`-th nearest other code, sorted
    this.labels = bytes(labels);
    this.names = names;
    this.invisible = invisible;
  }

  /** The code nearest to a point of the map, in latent space. @param {number} x @param {number} y @returns {Near} */
  near(x, y) {
    const n = this.labels.length;
    const least = new Float64Array(Math.min(SPARSITY_K, n)).fill(Infinity); // squared distances, the smallest first
    let image = 0;
    for (let i = 0; i < n; i++) {
      const [across, up, off] = [this.points[2 * i] - x, this.points[2 * i + 1] - y, this.residuals[i]];
      const squared = across * across + up * up + off * off;
      if (squared >= least[least.length - 1]) continue;
      if (squared < least[0]) image = i;
      let at = least.length - 1;
      for (; at > 0 && least[at - 1] > squared; at--) least[at] = least[at - 1];
      least[at] = squared;
    }
    const kth = Math.sqrt(least[least.length - 1]);
    return {
      image,
      name: this.names[this.labels[image]],
      distance: Math.sqrt(least[0]),
      kth,
      percentile: (100 * countBelow(this.spacings, kth)) / n,
      visible: kth >= this.invisible,
    };
  }
}

/** How many of sorted values are smaller. @param {Float32Array} values @param {number} than */
function countBelow(values, than) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < than) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {string} text */
function bytes(text) {
  const characters = atob(text);
  const found = new Uint8Array(characters.length);
  for (let at = 0; at < found.length; at++) found[at] = characters.charCodeAt(at); // `from` takes ten times as long
  return found;
}

/** @param {string} text */
function floats(text) {
  return new Float32Array(bytes(text).buffer);
}
