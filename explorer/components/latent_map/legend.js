// @ts-check
// One legend for several maps: a chip for each class. A click greys the class out on all of them, a second one brings
// it back, a double click leaves it alone in colour; with Shift, or a long press, it asks for a typical image of it.

import { lifecycle } from "../lifecycle.js";
import { restyle } from "./plotly.js";
import { clipPathOf } from "./symbols.js";

/** @typedef {{charts: string[], names: string[], shown: string[], colours: string[], symbols: string[],
 *   outlines: {light: string[], dark: string[]}}} Data */

const GREY = "#9a9a9a";
const OPACITY = 0.75; // of a dot, as `figures.DOT_OPACITY`
const FAINT = 0.12; // opacity of a greyed class: a hidden neighbour still explains a decode
const LONG_PRESS = 500; // milliseconds
const IN_ADDRESS = "grey"; // the classes that are greyed out, by number: `1~4`; see `address.js`
const HELP = "Click: grey it out. Double click: only this class. Shift and click, or a long press: show a typical one.";

export default lifecycle((place) => new Legend(place));

class Legend {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.root = place.appendChild(document.createElement("div"));
    this.root.className = "classes";
    this.root.role = "group";
    this.root.ariaLabel = "Classes";
    /** @type {Set<number>} */ this.greyed = new Set(); // classes
    /** @type {Data} */ this.data = { charts: [], names: [], shown: [], colours: [], symbols: [], outlines: { light: [], dark: [] } };
    /** @type {((event: string, value: unknown) => void) | null} */ this.report = null;
    this.apply = this.apply.bind(this);
    // Charts come and go with reruns and tabs.
    this.changes = new MutationObserver(() => this.listen());
    this.changes.observe(document.body, { childList: true, subtree: true });
    this.left = new AbortController();
    this.hasGoneBack = false; // or forward: the classes there may be others, as the server's answer tells
    const goBack = () => {
      this.hasGoneBack = true;
      this.read();
    };
    addEventListener("popstate", goBack, { signal: this.left.signal });
    /** @type {WeakSet<object>} */ this.heard = new WeakSet(); // event emitters, a new one after each purge
  }

  /** @param {Data} data @param {(event: string, value: unknown) => void} report */
  update(data, report) {
    const before = JSON.stringify(this.data.names);
    this.data = data;
    this.report = report;
    if (JSON.stringify(data.names) !== before) {
      if (before === "[]" || this.hasGoneBack) this.read();
      else this.greyed.clear();
      this.root.classList.toggle("long", data.shown.some((name) => name.length > 2));
      this.root.replaceChildren(...data.names.map((_, at) => this.chip(at)));
      if (before !== "[]" && !this.hasGoneBack) this.write();
    }
    this.hasGoneBack = false;
    this.listen();
    this.apply();
  }

  remove() {
    this.left.abort();
    this.changes.disconnect();
    this.root.remove();
  }

  /** Grey out what the address says. */
  read() {
    const said = (new URLSearchParams(location.search).get(IN_ADDRESS) ?? "").split("~").filter((each) => /^\d+$/.test(each));
    this.greyed = new Set(said.map(Number).filter((at) => at < this.data.names.length));
    this.apply();
  }

  write() {
    const address = new URL(location.href);
    if (this.greyed.size) address.searchParams.set(IN_ADDRESS, [...this.greyed].sort((one, other) => one - other).join("~"));
    else address.searchParams.delete(IN_ADDRESS);
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  get charts() {
    const found = this.data.charts.map((key) => document.querySelector(`.st-key-${key} .js-plotly-plot`));
    return /** @type {any[]} */ (found.filter((chart) => /** @type {any} */ (chart)?._fullLayout?.updatemenus?.length));
  }

  listen() {
    for (const chart of this.charts) {
      if (this.heard.has(chart._ev)) continue;
      this.heard.add(chart._ev);
      chart.on("plotly_afterplot", this.apply);
      this.apply();
    }
  }

  /** @param {number} at */
  chip(at) {
    const [name, shown, symbol] = [this.data.names[at], this.data.shown[at], this.data.symbols[at]];
    const chip = document.createElement("button");
    chip.type = "button";
    chip.textContent = shown;
    chip.title = name === shown ? HELP : `${name}. ${HELP}`;
    chip.ariaLabel = name;
    chip.dataset.symbol = symbol;
    chip.style.setProperty("--class-colour", this.data.colours[at]);
    chip.style.setProperty("--class-symbol", clipPathOf(symbol));
    let pressed = 0;
    let wasLong = false;
    chip.addEventListener("pointerdown", () => {
      wasLong = false;
      pressed = setTimeout(() => {
        wasLong = true;
        this.report?.("typical", at);
      }, LONG_PRESS);
    });
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) chip.addEventListener(end, () => clearTimeout(pressed));
    chip.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press on a phone
    chip.addEventListener("click", (event) => {
      if (wasLong) return;
      if (event.shiftKey) this.report?.("typical", at);
      else this.toggle(at);
    });
    chip.addEventListener("dblclick", () => this.isolate(at));
    return chip;
  }

  /** @param {number} at */
  toggle(at) {
    if (!this.greyed.delete(at)) this.greyed.add(at);
    this.write();
    this.apply();
  }

  /** Two clicks have toggled it twice. @param {number} at */
  isolate(at) {
    const others = [...this.data.names.keys()].filter((each) => each !== at);
    const isAlone = !this.greyed.has(at) && others.every((each) => this.greyed.has(each));
    this.greyed = new Set(isAlone ? [] : others);
    this.write();
    this.apply();
  }

  apply() {
    const outlines = this.data.outlines[isLight(this.root) ? "light" : "dark"];
    for (const [at, chip] of [.../** @type {Iterable<HTMLElement>} */ (this.root.children)].entries()) {
      chip.ariaPressed = String(!this.greyed.has(at));
      chip.style.setProperty("--class-outline", outlines[at]); // for what paints codes itself, see `film/paint.js`
    }
    for (const chart of this.charts) {
      /** @type {{colour: string[], opacity: number[], line: string[], traces: number[]}} */
      const update = { colour: [], opacity: [], line: [], traces: [] };
      chart.data.forEach((/** @type {any} */ trace, /** @type {number} */ index) => {
        if (!trace.legendgroup) return;
        const at = Number(trace.legendgroup);
        if (at >= this.data.names.length) return; // a fit that is watched may have fewer classes than the map below it
        const isGrey = this.greyed.has(at);
        const isLabel = trace.name === "label";
        const colour = isLabel ? "white" : isGrey ? GREY : this.data.colours[at];
        const opacity = isGrey ? (isLabel ? 0.4 : FAINT) : isLabel ? 1 : OPACITY;
        const line = isLabel ? this.data.colours[at] : isGrey ? GREY : outlines[at];
        const { marker } = trace;
        if (marker.color === colour && (marker.opacity ?? 1) === opacity && marker.line?.color === line) return;
        update.colour.push(colour);
        update.opacity.push(opacity);
        update.line.push(line);
        update.traces.push(index);
      });
      if (update.traces.length) {
        const { colour, opacity, line, traces } = update;
        const width = traces.map((index) => (chart.data[index].name === "label" ? 2.5 : 1));
        const change = { "marker.color": colour, "marker.opacity": opacity, "marker.line.color": line, "marker.line.width": width };
        restyle(chart, change, traces);
      }
    }
  }
}

/** Whether the page behind an element is light. @param {Element} element */
function isLight(element) {
  const app = element.closest(".stApp") ?? document.body;
  const [red, green, blue] = (getComputedStyle(app).backgroundColor.match(/[\d.]+/g) ?? ["255", "255", "255"]).map(Number);
  return red + green + blue > 1.5 * 255;
}
