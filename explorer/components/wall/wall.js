// @ts-check
// The drawings of the wall: handed to the maps, in `latentWall` by the chart's key, and the one under the mouse shown
// large, with what both models make of it.

import { lifecycle } from "../lifecycle.js";
import { inside, screenPointOf } from "../latent_map/plotly.js";

/** @typedef {{chart: string, short: string, name: string, points: string, decodes: string, size: number}} OfModel
 *    what a model makes of the drawings: where they lie on its map, and their reconstructions in one picture
 * @typedef {{models: OfModel[], drawings: string, size: number, columns: number, numbers: number[], sent: number[],
 *    own: boolean[], nicknames: string[], chosen: number}} Data
 * the drawings in one picture; chosen: a drawing's number, 0: none */

const REACH = 24; // pixels from the middle of a drawing to the mouse that points at it

export default lifecycle((place) => new Wall(place));

class Wall {
  /** @param {HTMLElement} place */
  constructor(place) {
    /** @type {Data | null} */ this.data = null;
    this.text = ""; // of the data
    /** @type {Map<string, HTMLImageElement>} */ this.pictures = new Map(); // decoded, by address
    /** @type {Map<string, Float32Array>} */ this.points = new Map(); // by the chart's key
    this.hovered = 0; // a drawing's number; 0: none
    this.listening = new AbortController();
    document.addEventListener("latent-hover", (event) => this.onHover(/** @type {CustomEvent} */ (event).detail), { signal: this.listening.signal });
    this.card = place.appendChild(document.createElement("div"));
    this.card.className = "card drawing";
  }

  /** @param {Data} data */
  async update(data) {
    const text = JSON.stringify(data);
    if (text === this.text) return; // the server says it again and again
    [this.data, this.text] = [data, text];
    const addresses = [data.drawings, ...data.models.map(({ decodes }) => decodes)];
    const decoded = await Promise.all(addresses.map((address) => this.pictures.get(address) ?? decodedPicture(address)));
    if (this.data !== data) return; // another came meanwhile
    this.pictures = new Map(addresses.map((address, at) => [address, decoded[at]]));
    this.points = new Map(data.models.map(({ chart, points }) => [chart, floats(points)]));
    const { size, columns, own } = data;
    const onMaps = data.models.map(({ chart }) => [chart, { points: this.points.get(chart), image: decoded[0], columns, size, own }]);
    this.hand(new Map(/** @type {any} */ (onMaps)));
    this.show();
  }

  remove() {
    this.data = null;
    this.listening.abort();
    this.card.remove();
    this.hand(undefined);
  }

  /** Let the maps have the drawings. @param {Map<string, object> | undefined} onMaps */
  hand(onMaps) {
    /** @type {any} */ (globalThis).latentWall = onMaps;
    document.dispatchEvent(new Event("latent-wall"));
  }

  /** @param {{chart: string, point: number[] | null}} hover */
  onHover({ chart: key, point }) {
    const chart = /** @type {any} */ (document.querySelector(`.st-key-${key} .js-plotly-plot`));
    const points = this.points.get(key);
    if (!this.data || !points || !chart?._fullLayout?._plots) return;
    const mouse = point && screenPointOf(chart, point);
    let [nearest, least] = [-1, REACH];
    for (let at = 0; at < points.length / 2; at++) {
      if (!mouse) break;
      const place = inside(chart, screenPointOf(chart, [points[2 * at], points[2 * at + 1]]), REACH / 2);
      const away = Math.hypot(place.x - mouse.x, place.y - mouse.y);
      // Of two in the same place the later one, which lies on top.
      if (away <= least) [nearest, least] = [at, away];
    }
    const hovered = this.data.numbers[nearest] ?? 0;
    if (hovered === this.hovered) return;
    this.hovered = hovered;
    this.show();
  }

  /** Show the drawing under the mouse, else the chosen one, else the newest. */
  show() {
    const { data } = this;
    if (!data) return;
    const shown = [this.hovered, data.chosen].map((number) => data.numbers.indexOf(number)).find((at) => at >= 0);
    const at = shown ?? data.numbers.length - 1;
    const figures = document.createElement("div");
    figures.className = "pictures";
    figures.append(
      this.figure("drawn", `drawing ${data.numbers[at]}`, data.drawings, data.size, at),
      ...data.models.map(({ short, name, decodes, size }) => this.figure(short, `the ${short}'s reconstruction`, decodes, size, at, name)),
    );
    const words = document.createElement("p");
    words.ariaLive = "polite"; // the keyboard's cursor is told as it moves
    const when = new Date(1000 * data.sent[at]).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const by = [data.nicknames[at], data.own[at] ? "yours" : ""].filter(Boolean).join(", ");
    words.append(Object.assign(document.createElement("b"), { textContent: `Drawing ${data.numbers[at]}` }), `, ${when}${by && ": "}`, by);
    const text = document.createElement("div");
    text.append(words);
    this.card.replaceChildren(figures, text);
  }

  /** One picture out of many. @param {string} caption @param {string} alt @param {string} address @param {number} size
   * @param {number} at @param {string} name */
  figure(caption, alt, address, size, at, name = "drawn") {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = size;
    const columns = /** @type {Data} */ (this.data).columns;
    const all = this.pictures.get(address);
    const [left, top] = [(at % columns) * size, Math.floor(at / columns) * size];
    if (all) /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(all, left, top, size, size, 0, 0, size, size);
    const image = Object.assign(new Image(), { src: canvas.toDataURL(), alt, tabIndex: 0 });
    image.dataset.name = `wall-${name}`;
    image.setAttribute("aria-keyshortcuts", "Enter"); // it saves the picture: see `save_picture`
    const figure = document.createElement("figure");
    figure.append(image, Object.assign(document.createElement("figcaption"), { textContent: caption }));
    return figure;
  }
}

/** @param {string} address */
async function decodedPicture(address) {
  const picture = Object.assign(new Image(), { src: address });
  await picture.decode();
  return picture;
}

/** @param {string} text */
function floats(text) {
  return new Float32Array(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)).buffer);
}
