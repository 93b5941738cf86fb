// @ts-check
// Mouse and fingers on a map: they look, pick and draw. What they do besides (zoom, pan) stays Plotly's.

import { pan, zoom } from "./plotly.js";

/** @typedef {import("./plotly.js").Place} Place */

const CLICK_TRAVEL = { mouse: 5, pen: 5, touch: 10 }; // pixels between down and up; farther is a pan, or a look around
const RESTING = 2; // pixels by which a mouse may tremble after a click
const PINCHING = 1.1; // by so much two fingers part before they zoom
const SHIFTING = 12; // pixels that they go together before they pan

export class Gestures {
  /** @param {HTMLElement} chart @param {import("./overlay.js").Overlay} overlay */
  constructor(chart, overlay) {
    this.chart = chart;
    this.overlay = overlay;
    /** @type {Place & {id: number, far: boolean} | null} */ this.down = null; // where what may become a click began
    /** @type {Place | null} */ this.still = null; // where a click was, until the mouse moves on
    /** @type {Map<number, Place>} */ this.fingers = new Map();
    /** @type {{span: number, middle: Place, does: "" | "zoom" | "pan"} | null} */ this.pair = null; // of fingers
    this.frame = 0; // the request for the next one; 0: none is under way
    this.listening = new AbortController();
    const options = { capture: true, signal: this.listening.signal };
    chart.addEventListener("pointerdown", (event) => this.onDown(event), options);
    chart.addEventListener("pointermove", (event) => this.onMove(event), options);
    chart.addEventListener("pointerleave", (event) => this.onLeave(event), options);
    chart.addEventListener("mousedown", (event) => this.keepFromPlotly(event, overlay.data.draws), options);
    const active = { ...options, passive: false };
    chart.addEventListener("touchstart", (event) => this.keepFromPlotly(event, overlay.data.lens !== ""), active);
    window.addEventListener("pointerup", (event) => this.onUp(event), options);
    window.addEventListener("pointercancel", (event) => this.onCancel(event), options);
  }

  remove() {
    this.listening.abort();
    cancelAnimationFrame(this.frame);
  }

  /** @param {MouseEvent | TouchEvent} event @param {boolean} ours */
  keepFromPlotly(event, ours) {
    const onPlane = event.target instanceof Element && event.target.closest(".nsewdrag");
    // What is not trusted is what `pan` sends.
    if (!ours || !onPlane || !event.isTrusted || ("button" in event && event.button !== 0)) return;
    event.stopPropagation();
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const { overlay, fingers } = this;
    const place = placed(event);
    const onControls = event.target instanceof Element && event.target.closest(".modebar, .legend");
    if (event.pointerType === "touch" && overlay.data.lens && !onControls) fingers.set(event.pointerId, place);
    if (fingers.size > 1) return this.pairUp();
    const single = event.isPrimary && event.button === 0 && !onControls;
    this.down = single ? { ...place, id: event.pointerId, far: false } : null;
    if (!single) return;
    if (overlay.beginLine(place)) this.chart.setPointerCapture(event.pointerId);
    if (fingers.size) overlay.look(place, "finger");
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { overlay, fingers, down, still } = this;
    const place = placed(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, place);
    if (this.pair) {
      // Once a frame: in between one finger has moved, and the other not yet.
      this.frame ||= requestAnimationFrame(() => this.movePair());
      return;
    }
    if (down?.id === event.pointerId) down.far ||= isFar(event, down);
    if (overlay.drawing && down?.id === event.pointerId) {
      if (down.far) overlay.extendLine(place);
    } else if (event.buttons && !fingers.has(event.pointerId)) return; // a pan
    if (still && Math.hypot(place.x - still.x, place.y - still.y) < RESTING) return;
    this.still = null;
    overlay.look(place, fingers.has(event.pointerId) ? "finger" : "mouse");
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { overlay, down, pair } = this;
    if (pair && this.frame) this.movePair();
    if (this.fingers.delete(event.pointerId)) overlay.look(null);
    if (pair) return this.part(pair);
    if (down?.id !== event.pointerId) return;
    this.down = null;
    if (down.far || isFar(event, down)) return overlay.endLine();
    overlay.dropLine();
    this.still = down;
    // Where the button went down: a hand that slips while it clicks still meant that point.
    overlay.pick(down);
  }

  /** @param {PointerEvent} event */
  onCancel(event) {
    this.fingers.delete(event.pointerId);
    this.down = null;
    this.overlay.dropLine();
    this.overlay.look(null);
    if (this.pair) this.part(this.pair);
  }

  /** @param {PointerEvent} event */
  onLeave(event) {
    if (this.fingers.has(event.pointerId)) return; // it is lifted outside
    this.still = null;
    this.overlay.look(null);
  }

  /** A second finger came down: no look, no line, no click, but zoom or pan. */
  pairUp() {
    this.down = null;
    this.overlay.dropLine();
    this.overlay.look(null);
    if (this.pair) this.part(this.pair);
    this.pair = { ...this.spread(), does: "" };
  }

  movePair() {
    const { pair } = this;
    this.frame = 0;
    if (!pair || this.fingers.size < 2) return; // one was lifted
    const { span, middle } = this.spread();
    if (!pair.does) {
      if (Math.abs(Math.log(span / pair.span)) > Math.log(PINCHING)) pair.does = "zoom";
      else if (Math.hypot(middle.x - pair.middle.x, middle.y - pair.middle.y) > SHIFTING) pair.does = "pan";
      if (pair.does === "pan") pan(this.chart, "mousedown", pair.middle);
    }
    if (pair.does === "zoom") {
      zoom(this.chart, middle, span / pair.span);
      pair.span = span;
    }
    pair.middle = pair.does ? middle : pair.middle;
    if (pair.does === "pan") pan(this.chart, "mousemove", middle);
  }

  /** @param {NonNullable<Gestures["pair"]>} pair */
  part(pair) {
    if (pair.does === "pan") pan(this.chart, "mouseup", pair.middle);
    pair.does = "";
    if (!this.fingers.size) this.pair = null; // the other finger still does nothing
  }

  /** How far apart the first two fingers are, and what lies between them. */
  spread() {
    const [a, b = a] = this.fingers.values();
    return { span: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }
}

/** @param {PointerEvent} event @returns {Place} */
function placed(event) {
  return { x: event.clientX, y: event.clientY };
}

/** @param {PointerEvent} event @param {Place} from */
function isFar(event, from) {
  const travel = CLICK_TRAVEL[/** @type {"mouse" | "pen" | "touch"} */ (event.pointerType)] ?? CLICK_TRAVEL.mouse;
  return Math.hypot(event.clientX - from.x, event.clientY - from.y) > travel;
}
