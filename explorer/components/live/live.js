// @ts-check
// A fit as it goes: codes glide to where the model has them now, over the charts of the maps. A map is shown anew only
// when the server says so; between two messages nothing is asked of it.

import { chartOf, paintCodes } from "../film/paint.js";
import { lifecycle } from "../lifecycle.js";
import { isPlotted, relayout, reset } from "../latent_map/plotly.js";

/** @typedef {{chart: string, points: string, window: number[]}} Moment window: left, bottom, side */
/** @typedef {{maps: Moment[], labels: string, names: string[], colours: string[], symbols: string[],
 *    circled: boolean}} Data */
/** @typedef {{canvas: HTMLCanvasElement, sent: string, from: Float32Array, to: Float32Array, since: number,
 *    lasts: number, shown: string}} LiveMap shown: the window that the chart was made to show */

const [SHORTEST, LONGEST] = [250, 1500]; // milliseconds in which codes glide: as long as the last ones took to come
const EVENTS = ["plotly_afterplot", "plotly_relayout", "plotly_relayouting"];

export default lifecycle(() => new Live());

class Live {
  constructor() {
    /** @type {Data | null} */ this.data = null;
    /** @type {Uint8Array} */ this.labels = new Uint8Array();
    /** @type {Map<string, LiveMap>} */ this.maps = new Map();
    this.frame = 0; // the request for the next one; 0: none is under way
    this.draw = this.draw.bind(this);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    // Charts come and go; and the legend greys classes out.
    this.changes = new MutationObserver((records) => {
      const isOurs = (/** @type {Node} */ node) => node instanceof Element && node.closest(".map-overlay");
      if (!records.every(({ target }) => isOurs(target))) this.changed();
    });
    const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-pressed"] };
    this.changes.observe(document.body, watched);
    this.resize = new ResizeObserver(this.draw);
    /** @type {WeakSet<object>} */ this.heard = new WeakSet(); // Plotly's event emitters, a new one after each purge
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
        const canvas = document.createElement("canvas");
        canvas.className = "film-codes";
        canvas.ariaHidden = "true";
        const points = to();
        const made = { canvas, sent: moment.points, from: points, to: points, since: now, lasts: SHORTEST, shown: "" };
        this.maps.set(moment.chart, made);
      } else if (map.sent !== moment.points) {
        const here = this.between(map, now);
        map.sent = moment.points;
        map.to = to();
        map.from = here.length === map.to.length ? here : map.to;
        map.lasts = Math.min(Math.max(now - map.since, SHORTEST), LONGEST);
        map.since = now;
      }
    }
    for (const [key, map] of this.maps) if (!data.maps.some(({ chart }) => chart === key)) this.drop(key, map);
    this.changed();
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.changes.disconnect();
    this.resize.disconnect();
    for (const [key, map] of this.maps) this.drop(key, map);
    this.data = null;
  }

  /** Give a chart back as it was. @param {string} key @param {LiveMap} map */
  drop(key, { canvas, shown }) {
    this.maps.delete(key);
    canvas.remove();
    const chart = chartOf(key);
    if (!chart) return;
    chart.classList.remove("filmed");
    if (shown && isPlotted(chart)) reset(chart);
  }

  /** Take hold of charts that have come, and paint. */
  changed() {
    if (!this.data) return;
    for (const { chart: key, window } of this.data.maps) {
      const [chart, map] = [chartOf(key), this.maps.get(key)];
      if (!chart || !map) continue;
      if (map.canvas.parentNode !== chart) {
        chart.append(map.canvas);
        map.shown = ""; // a new chart
      }
      chart.classList.add("filmed");
      if (!this.heard.has(chart._ev)) {
        this.heard.add(chart._ev);
        for (const event of EVENTS) chart.on(event, this.draw);
        this.resize.observe(chart);
      }
      if (map.shown === String(window) || !isPlotted(chart)) continue;
      map.shown = String(window);
      const [left, bottom, side] = window;
      relayout(chart, { "xaxis.range": [left, left + side], "yaxis.range": [bottom, bottom + side] });
    }
    this.draw();
  }

  /** Where the codes are just now. @param {LiveMap} map @param {number} now */
  between({ from, to, since, lasts }, now) {
    const part = this.still.matches ? 1 : Math.min((now - since) / lasts, 1);
    return part === 1 ? to : from.map((value, at) => value + part * (to[at] - value));
  }

  /** Paint in the next frame, and in those that follow, until all codes have arrived. */
  draw() {
    this.frame ||= requestAnimationFrame((now) => {
      this.frame = 0;
      if (!this.data) return;
      let arrived = true;
      for (const [key, map] of this.maps) {
        const chart = chartOf(key);
        if (!chart || map.canvas.parentNode !== chart) continue;
        const points = this.between(map, now);
        arrived &&= points === map.to;
        paintCodes(chart, map.canvas, points, points, 0, { ...this.data, labels: this.labels });
      }
      if (!arrived) this.draw();
    });
  }
}

/** @param {string} text */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
}
