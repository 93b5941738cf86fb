// @ts-check
// Lies over a Plotly chart of the same page. The chart stays Plotly's: zoom, pan and legend work as ever. The overlay
// turns clicks into axis coordinates, reports them, and draws marks that follow. Where the map has an atlas, it shows
// the decode of the point under the mouse in place of the answer's picture: the lens.

import { lifecycle } from "../lifecycle.js";
import { keepBindings, keepOneEntryAnAct, writeZoom, zoomAsInAddress } from "./address.js";
import { Drawings } from "./drawings.js";
import { edges } from "./edges.js";
import { Gestures } from "./gestures.js";
import { Keys, keysHelp } from "./keys.js";
import { Lens } from "./lens.js";
import { Glide } from "./glide.js";
import { Images } from "./images.js";
import { drawMarks, element } from "./marks.js";
import { inside, isPlotted, keepWholeDomains, pointAt } from "./plotly.js";
import { drawWithoutWebGl, giveBackContexts, lacksWebGl } from "./webgl.js";
import { labels } from "./labels.js";
import { wordsOf } from "./words.js";

/** @typedef {import("./marks.js").Mark} Mark */
/** @typedef {import("./plotly.js").ScreenPoint} ScreenPoint */
/** @typedef {{chart: string, session: string, title: string, marks: Mark[], reports: boolean, draws: boolean, lens: string,
 *    answer: string, answered: number, notifies: boolean, zoom: string}} Data */

const CHART_TIMEOUT = 10_000; // milliseconds until a chart that is not there is missed
const NO_CHART = "The map cannot be drawn here: no clicks, no live picture. Choose a point by its numbers.";
const NO_LENS = "The live picture is missing, because this browser cannot show it; clicks and numbers still work.";
const NO_OVERLAY = "Clicks and the live picture are missing: their script failed. Choose a point by its numbers.";
const EVENTS = ["plotly_afterplot", "plotly_relayout", "plotly_relayouting", "plotly_webglcontextlost"];

giveBackContexts();

/** For the overlays of all maps, see `mount.js`. */
export default function () {
  keepBindings();
  keepOneEntryAnAct();
  const page = /** @type {any} */ (globalThis);
  (page.latentOverlay ??= Promise.withResolvers()).resolve(lifecycle((place) => new Overlay(place)));
}

export class Overlay {
  /** @param {HTMLElement} place where the answer stands */
  constructor(place) {
    this.lens = new Lens(place);
    /** @type {Data} */
    this.data = { chart: "", session: "", title: "", marks: [], reports: false, draws: false, lens: "", answer: "", answered: 0, notifies: false, zoom: "" };
    /** @type {any} */ this.chart = null; // Plotly's graph div
    /** @type {any} */ this.emitter = null; // its event emitter, a new one after each purge
    /** @type {{point: number[], source: string} | null} */ this.hovered = null; // the point under mouse, finger or cursor, and which of them
    /** @type {ScreenPoint | null} */ this.place = null; // where it is on the screen
    /** @type {{point: number[], number: number}[]} */ this.clicked = []; // what the server has not answered yet
    this.number = 0; // of the last click
    /** @type {number[][]} */ this.line = []; // the path that is drawn just now, or that the server has not answered yet
    this.drawing = false;
    this.broken = false;
    this.notified = false; // where only that is asked: that the chart is drawn
    /** @type {AbortController | null} */ this.listening = null;
    this.layer = element("svg", { class: "map-overlay" });
    this.images = new Images();
    this.drawings = new Drawings();
    this.glide = new Glide();
    this.draw = this.draw.bind(this);
    this.onPlot = this.onPlot.bind(this);
  }

  /** @param {Data} data @param {(name: string, value: any) => void} report */
  update(data, report) {
    this.lens.fill(data.answer);
    // By number, since a second click on a spot has the same answer. After two quick clicks the first one's answer does
    // not move the cross back.
    this.clicked = this.clicked.filter(({ number }) => number > data.answered);
    this.number = Math.max(this.number, data.answered);
    const isNewSession = this.data.session !== "" && data.session !== this.data.session;
    this.data = data;
    this.report = report;
    if (isNewSession) this.reportAgain();
    this.attempt(() => {
      this.start();
      if (!this.drawing || !data.draws) this.dropLine();
      this.markClicked();
      this.describe();
      this.attach();
      this.draw();
      this.show();
    });
  }

  /** @param {() => void} act */
  attempt(act) {
    try {
      act();
    } catch (error) {
      console.error(error);
      this.broken = true; // the answer is there all the same
      this.lens.tell(NO_OVERLAY);
    }
  }

  start() {
    if (this.listening) return;
    this.resize = new ResizeObserver(this.draw);
    // Charts come and go with reruns, tabs and themes: found again whenever the page changes.
    this.changes = new MutationObserver(() => this.attempt(() => this.attach()));
    this.changes.observe(document.body, { childList: true, subtree: true });
    this.listening = new AbortController();
    const { signal } = this.listening;
    document.addEventListener("latent-atlas", () => this.show(), { signal });
    document.addEventListener("latent-codes", () => this.draw(), { signal });
    document.addEventListener("latent-wall", () => this.draw(), { signal });
    addEventListener("popstate", () => this.chart && this.data.zoom && zoomAsInAddress(this.chart, this.data.zoom), { signal });
    this.missed = setTimeout(() => this.show(), CHART_TIMEOUT);
    this.since = performance.now();
  }

  remove() {
    this.detach();
    this.changes?.disconnect();
    this.listening?.abort();
    clearTimeout(this.missed);
    this.lens.answer.remove();
  }

  attach() {
    const chart = /** @type {any} */ (document.querySelector(`.st-key-${this.data.chart} .js-plotly-plot`));
    if (this.chart && !this.chart.isConnected) this.detach();
    if (!chart?._fullLayout?._plots || !chart.on) return;
    if (this.data.notifies) return this.notifyOnce();
    if (chart === this.chart && chart._ev === this.emitter && this.layer.parentNode === chart) return;
    const focused = document.activeElement === this.layer;
    this.detach();
    this.chart = chart;
    this.emitter = chart._ev;
    chart.prepend(this.layer); // the first stop of the keyboard in a map; the style sheet lays it on top
    if (focused) this.layer.focus();
    for (const event of EVENTS) chart.on(event, this.draw);
    chart.on("plotly_afterplot", this.onPlot);
    this.gestures = new Gestures(chart, this);
    this.keys = new Keys(chart, this.layer, this);
    this.resize?.observe(chart);
    if (isPlotted(chart)) this.onPlot();
    this.draw();
    this.show();
  }

  /** The chart was drawn anew: zoomed, of another size, or for the first time. */
  onPlot() {
    const { zoom } = this.data;
    if (!this.chart?._fullLayout?._plots) return;
    if (this.hovered?.source === "mouse" && this.place) this.hover(this.place, "mouse"); // another point is under it now
    if (!zoom) return;
    // What the link says comes first; a chart that is made anew for another face of the same window is zoomed as it was.
    const zoomed = ((/** @type {any} */ (globalThis)).latentZoomed ??= new Map());
    const [chart, view] = zoomed.get(zoom) ?? [];
    const isAsBefore = chart !== this.chart && view === this.chart._fullLayout.uirevision;
    zoomed.set(zoom, [this.chart, this.chart._fullLayout.uirevision]);
    if (!chart || isAsBefore) zoomAsInAddress(this.chart, zoom);
    else writeZoom(this.chart, zoom);
  }

  /** That the chart is drawn: all that such an overlay is for. */
  notifyOnce() {
    if (!this.notified) this.report?.("drawn", true);
    this.notified = true;
  }

  detach() {
    if (!this.chart) return;
    for (const event of EVENTS) this.emitter?.removeListener?.(event, this.draw);
    this.emitter?.removeListener?.("plotly_afterplot", this.onPlot);
    this.gestures?.remove();
    this.keys?.remove();
    this.resize?.disconnect();
    this.images.remove();
    this.drawings.remove();
    this.glide.remove();
    this.layer.remove();
    this.chart = null;
  }

  /** For the style sheet, and for those who do not see the map. */
  describe() {
    const { reports, draws, title } = this.data;
    this.layer.classList.toggle("reports", reports);
    this.layer.toggleAttribute("tabindex", reports);
    if (!reports) return;
    this.layer.setAttribute("tabindex", "0");
    this.layer.setAttribute("role", "application");
    this.layer.setAttribute("aria-label", `Map of the ${title}. ${keysHelp(draws)}`);
  }

  /** Point at a place on the screen; null: at none. @param {ScreenPoint | null} place @param {string} source */
  hover(place, source = "") {
    const point = place && this.chart && pointAt(this.chart, place);
    this.place = place;
    const before = this.hovered;
    this.hovered = point ? { point, source } : null;
    this.show();
    if (before?.source === "cursor" || source === "cursor") this.draw();
    document.dispatchEvent(new CustomEvent("latent-hover", { detail: { chart: this.data.chart, point: point || null } }));
  }

  /** @param {ScreenPoint} place */
  pick(place) {
    const point = this.chart && this.data.reports && pointAt(this.chart, place);
    if (!point) return;
    this.clicked.push({ point, number: ++this.number });
    this.markClicked();
    this.hovered = null; // the answer shows, as long as the mouse rests
    this.report?.("pick", { x: point[0], y: point[1], number: this.number });
    // Streamlit sends the report in a task of its own. Were this drawn before, the frame would be painted first.
    setTimeout(() => {
      this.draw();
      this.show();
    });
  }

  /** What the last session took with it. */
  reportAgain() {
    this.notified = false;
    const last = this.clicked.at(-1);
    if (last && this.data.reports) this.report?.("pick", { x: last.point[0], y: last.point[1], number: last.number });
  }

  /** The point that is picked, as far as is known here. */
  get picked() {
    return this.data.marks.find((each) => each.kind === "pick")?.points[0];
  }

  /** The cross stands at the last click at once; the server's answer follows. */
  markClicked() {
    const mark = this.data.marks.find((each) => each.kind === "pick");
    const last = this.clicked.at(-1);
    if (mark && last) mark.points = [last.point];
  }

  /** @param {ScreenPoint} place @returns {boolean} whether a line begins here */
  beginLine(place) {
    const point = this.data.draws && pointAt(this.chart, place);
    if (!point) return false;
    this.drawing = true;
    this.line = [point];
    return true;
  }

  /** @param {ScreenPoint} place one beyond the map's edge counts as on it */
  extendLine(place) {
    const point = pointAt(this.chart, inside(this.chart, place));
    if (point && String(point) !== String(this.line.at(-1))) this.line.push(point);
    this.draw();
  }

  endLine() {
    if (!this.drawing) return;
    if (this.line.length < 2) return this.dropLine();
    this.drawing = false; // it stays to be seen until the server has answered
    this.report?.("path", { points: this.line });
  }

  dropLine() {
    this.drawing = false;
    if (!this.line.length) return;
    this.line = [];
    this.draw();
  }

  /** Say what is to be said of a point, in place of the pick; undefined: of the pick. @param {number[] | undefined} point */
  say(point) {
    const { chart, lens } = this.data;
    const codes = /** @type {any} */ (globalThis).latentCodes?.get(chart);
    if (!point || codes?.id !== lens) return this.lens.say("", 0);
    const near = codes.near(...point);
    this.lens.say(wordsOf(point, near, "latentOriginals" in globalThis), near.image);
  }

  /** The finest atlas that has a point; not that of another decoder. @param {number[] | undefined} point */
  atlasOf(point) {
    const { lens, chart } = this.data;
    const atlases = /** @type {any} */ (globalThis).latentAtlases;
    const own = ["/crowd", "/live", ""].map((part) => atlases?.get(chart + part)).filter((atlas) => atlas?.data.id === lens);
    return own.find((atlas) => point && atlas.has?.(...point)) ?? own.at(-1);
  }

  /** Show the decode of the point under mouse, finger or cursor, else of the one just clicked, else the answer's own picture. */
  show() {
    const { lens, notifies } = this.data;
    if (notifies) return; // such an overlay has no answer; it may stay for long, while the server loads the decoders
    const point = this.hovered?.point ?? this.clicked.at(-1)?.point;
    const atlas = this.atlasOf(point);
    let works = !lens || !atlas || Boolean(atlas.decode);
    try {
      if (lens) {
        this.lens.show(atlas, point, this.hovered?.source ?? "");
        this.say(point);
      }
    } catch (error) {
      console.error(error);
      works = false;
    }
    const waited = performance.now() - (this.since ?? 0) >= CHART_TIMEOUT;
    this.lens.tell(this.broken ? NO_OVERLAY : !this.chart && waited ? NO_CHART : works ? "" : NO_LENS);
  }

  draw() {
    if (!this.chart?._fullLayout?._plots) return;
    if (lacksWebGl(this.chart)) drawWithoutWebGl(this.chart);
    keepWholeDomains(this.chart);
    const marks = this.line.length ? this.data.marks.filter((each) => each.kind !== "path") : [...this.data.marks];
    if (this.line.length) marks.unshift({ kind: "path", points: this.line });
    if (this.hovered?.source === "cursor") marks.push({ kind: "cursor", points: [this.hovered.point] });
    const panels = /** @type {any[]} */ (Object.values(this.chart._fullLayout._plots));
    this.layer.replaceChildren(...panels.map((panel) => drawMarks(panel, marks)));
    if (!this.data.title) return;
    this.layer.append(labels(this.chart), edges(this.chart, this.picked));
    this.glide.look(this.chart);
    this.images.draw(this.chart, /** @type {any} */ (globalThis).latentCodes?.get(this.data.chart));
    this.drawings.draw(this.chart, /** @type {any} */ (globalThis).latentWall?.get(this.data.chart));
  }
}
