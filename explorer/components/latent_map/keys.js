// @ts-check
// The keyboard on a map: all that the mouse can do there.

import { axesOf, inside, screenPointOf, reset, zoom } from "./plotly.js";

const STEP = 0.01; // of the map's width
const LARGE_STEP = 0.1; // with Shift
const ZOOM = 1.25;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What the keys do. @param {boolean} draws */
export function keysHelp(draws) {
  const enter = draws
    ? "Enter adds a corner to the path and Shift with Enter ends it"
    : "Enter picks the point under it";
  return (
    `Arrow keys move a cursor, with Shift farther; ${enter}; Escape goes back to the pick; ` +
    "plus and minus zoom, 0 shows the whole map."
  );
}

export class Keys {
  /** @param {any} chart @param {SVGElement} layer that has the focus @param {import("./overlay.js").Overlay} overlay */
  constructor(chart, layer, overlay) {
    this.chart = chart;
    this.overlay = overlay;
    this.listening = new AbortController();
    const { signal } = this.listening;
    layer.addEventListener("keydown", (event) => this.onKey(event), { signal });
    layer.addEventListener("blur", () => this.leave(), { signal });
  }

  remove() {
    this.listening.abort();
  }

  /** Where the cursor is; where none is, the pick. */
  get place() {
    const { chart, overlay } = this;
    const { xaxis, yaxis } = axesOf(chart);
    const middle = [xaxis, yaxis].map(({ range: [from, to] }) => (from + to) / 2);
    return inside(chart, screenPointOf(chart, overlay.hovered?.point ?? overlay.picked ?? middle));
  }

  leave() {
    this.overlay.dropLine();
    this.overlay.hover(null);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.overlay.data.reports) return;
    if (!this.handles(event)) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has shortcuts of its own
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key does something here */
  handles({ key, shiftKey, repeat }) {
    const { chart, overlay, place } = this;
    if (key in ARROWS) {
      const [right, down] = ARROWS[/** @type {keyof ARROWS} */ (key)];
      const step = (shiftKey ? LARGE_STEP : STEP) * axesOf(chart).xaxis._length;
      overlay.hover(inside(chart, { x: place.x + right * step, y: place.y + down * step }), "cursor");
    } else if (key === "Enter") {
      if (repeat) return true;
      if (!overlay.data.draws) overlay.pick(place);
      else if (shiftKey) overlay.endLine();
      else if (overlay.drawing || overlay.beginLine(place)) {
        overlay.extendLine(place);
        overlay.hover(place, "cursor");
      }
    } else if (key === "Escape") this.leave();
    else if (key === "+" || key === "=") zoom(chart, place, ZOOM);
    else if (key === "-") zoom(chart, place, 1 / ZOOM);
    else if (key === "0") reset(chart);
    else return false;
    return true;
  }
}
