// @ts-check
// A fit as it goes: codes glide to where the model has them now, over the charts of the maps. A map is shown anew only
// when the server says so; between two messages nothing is asked of it.

import { Canvases, chartOf, paintCodes } from "../film/paint.js";
import { lifecycle } from "../lifecycle.js";
import { isPlotted, nameAxes, reset, titlesOf, zoomTo } from "../latent_map/plotly.js";

/** @typedef {{chart: string, points: string, window: number[], titles: string[]}} Moment window: left, bottom, side */
/** @typedef {{maps: Moment[], labels: string, names: string[], colours: string[], symbols: string[],
 *    circled: boolean}} Data */
/** @typedef {{sent: string, from: Float32Array, to: Float32Array, since: number, lasts: number, shown: string,
 *    titles: string[] | null}} LiveMap
 * shown: the window that the chart was made to show; titles: of its axes, before others were given to it */

const [SHORTEST, LONGEST] = [250, 1500]; // milliseconds in which codes glide: as long as the last ones took to come

export default lifecycle(() => new Live());

class Live {
  constructor() {
    /** @type {Data | null} */ this.data = null;
    /** @type {Uint8Array} */ this.labels = new Uint8Array();
    /** @type {Map<string, LiveMap>} */ this.maps = new Map();
    this.frame = 0; // the request for the next one; 0: none is under way
    this.draw = this.draw.bind(this);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.canvases = new Canvases(".map-overlay", () => this.changed(), this.draw);
  }

  /** @param {Data} data */
  update(data) {
    this.data = data;
    this.labels = bytesOf(data.labels);
    const now = performance.now();
    for (const moment of data.maps) {
      const to = () => new Float32Array(bytesOf(moment.points).buffer);
      const map = this.maps.get(moment.chart);
      if (!map) {
        const points = to();
        this.maps.set(moment.chart, { sent: moment.points, from: points, to: points, since: now, lasts: SHORTEST, shown: "", titles: null });
      } else if (map.sent !== moment.points) {
        const here = this.between(map, now);
        map.sent = moment.points;
        map.to = to();
        map.from = here.length === map.to.length ? here : map.to;
        map.lasts = Math.min(Math.max(now - map.since, SHORTEST), LONGEST);
        map.since = now;
      }
    }
    for (const key of [...this.maps.keys()]) if (!data.maps.some(({ chart }) => chart === key)) this.drop(key);
    this.changed();
  }

  remove() {
    cancelAnimationFrame(this.frame);
    for (const key of [...this.maps.keys()]) this.drop(key);
    this.canvases.remove();
    facesOfMaps()?.removeAttribute("inert");
    this.data = null;
  }

  /** Give a chart back as it was. @param {string} key */
  drop(key) {
    const [chart, map] = [/** @type {any} */ (chartOf(key)), this.maps.get(key)];
    const isOurs = chart && map?.shown && isPlotted(chart);
    if (isOurs && map.titles) nameAxes(chart, map.titles);
    if (chart) delete chart.latentLive;
    if (isOurs) reset(chart);
    this.maps.delete(key);
    this.canvases.drop(key);
  }

  /** Take hold of charts that have come, and paint. */
  changed() {
    if (!this.data) return;
    facesOfMaps()?.setAttribute("inert", ""); // the maps show the codes of the fit, and nothing else
    for (const { chart: key, window, titles } of this.data.maps) {
      const isNew = this.canvases.lay(key);
      const [found, map] = [this.canvases.over(key), this.maps.get(key)];
      if (!found || !map || !isPlotted(found.chart)) continue;
      if (!isNew && map.shown === String(window)) continue;
      map.shown = String(window);
      const own = titlesOf(found.chart);
      if (String(own) !== String(titles)) {
        map.titles ??= own;
        nameAxes(found.chart, titles);
      }
      found.chart.latentLive = true; // its zoom is nobody's: see `address.js`
      const [left, bottom, side] = window;
      zoomTo(found.chart, [
        [left, left + side],
        [bottom, bottom + side],
      ]);
    }
    this.draw();
  }

  /** Where the codes are just now. @param {LiveMap} map @param {number} now */
  between({ from, to, since, lasts }, now) {
    const part = this.still.matches ? 1 : Math.min((now - since) / lasts, 1);
    return part === 1 ? to : from.map((value, at) => value + part * (to[at] - value));
  }

  /** Paint in the frame after the next, and in every other that follows, until all codes have arrived.
   *
   * Without a graphics card a frame costs the browser time that the fit could have.
   */
  draw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = requestAnimationFrame((now) => {
        this.frame = 0;
        this.paint(now);
      });
    });
  }

  /** @param {number} now */
  paint(now) {
    if (!this.data) return;
    let arrived = true;
    for (const [key, map] of this.maps) {
      const found = this.canvases.over(key);
      if (!found) continue;
      const points = this.between(map, now);
      arrived &&= points === map.to;
      paintCodes(found.chart, found.canvas, points, points, 0, { ...this.data, labels: this.labels });
    }
    if (!arrived) this.draw();
  }
}

/** Where it is chosen what the maps show. */
const facesOfMaps = () => document.querySelector(".st-key-faces");

/** @param {string} text */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}
