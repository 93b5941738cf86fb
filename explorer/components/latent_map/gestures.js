// @ts-check
// Mouse and fingers on a map: they look, pick and draw. What they do besides (zoom, pan) stays Plotly's. A finger that
// taps picks, one that rests looks from then on, one that moves before it has rested pans.

import { pan, zoom } from "./plotly.js";

/** @typedef {import("./plotly.js").ScreenPoint} ScreenPoint */

const CLICK_TRAVEL = { mouse: 5, pen: 5, touch: 10 }; // pixels between down and up; farther is a pan, or a look around
const LONG_PRESS = 350; // milliseconds that a finger rests before it looks
const RESTING = 2; // pixels by which a mouse may tremble after a click
const PINCHING = 1.1; // by so much two fingers part before they zoom
const SHIFTING = 12; // pixels that they go together before they pan

export class Gestures {
  /** @param {HTMLElement} chart @param {import("./overlay.js").Overlay} overlay */
  constructor(chart, overlay) {
    this.chart = chart;
    this.overlay = overlay;
    /** @type {ScreenPoint & {id: number, far: boolean} | null} */ this.down = null; // where what may become a click began
    /** @type {ScreenPoint | null} */ this.lastClick = null; // where a click was, until the mouse moves on
    /** @type {Map<number, ScreenPoint>} */ this.fingers = new Map();
    /** @type {"" | "look" | "pan"} */ this.doing = ""; // what one finger does; empty: not known yet
    this.press = 0; // the timer of a long press
    /** @type {{span: number, middle: ScreenPoint, mode: "" | "zoom" | "pan"} | null} */ this.pinch = null; // of fingers
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
    clearTimeout(this.press);
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
    if (fingers.size > 1) return this.startPinch();
    const single = event.isPrimary && event.button === 0 && !onControls;
    this.down = single ? { ...place, id: event.pointerId, far: false } : null;
    if (!single) return;
    if (overlay.beginLine(place)) this.chart.setPointerCapture(event.pointerId);
    if (!fingers.size) return;
    this.doing = "";
    if (overlay.drawing) this.look();
    else this.press = setTimeout(() => this.look(), LONG_PRESS);
  }

  /** The one finger is a lens from now on. */
  look() {
    this.doing = "look";
    const [place] = this.fingers.values();
    if (place) this.overlay.hover(place, "finger");
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    const { overlay, fingers, down, lastClick } = this;
    const place = placed(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, place);
    if (this.pinch) {
      // Once a frame: in between one finger has moved, and the other not yet.
      this.frame ||= requestAnimationFrame(() => this.movePinch());
      return;
    }
    if (down?.id === event.pointerId) down.far ||= isFar(event, down);
    if (down && fingers.has(event.pointerId) && this.doing !== "look") {
      if (down.far) this.movePan(down, place);
      return;
    }
    if (overlay.drawing && down?.id === event.pointerId) {
      if (down.far) overlay.extendLine(place);
    } else if (event.buttons && !fingers.has(event.pointerId)) return; // a pan
    if (lastClick && Math.hypot(place.x - lastClick.x, place.y - lastClick.y) < RESTING) return;
    this.lastClick = null;
    overlay.hover(place, fingers.has(event.pointerId) ? "finger" : "mouse");
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const { overlay, down, pinch } = this;
    if (pinch && this.frame) this.movePinch();
    if (this.fingers.delete(event.pointerId)) this.endFinger(placed(event));
    if (pinch) return this.endPinch(pinch);
    if (down?.id !== event.pointerId) return;
    this.down = null;
    if (down.far || isFar(event, down)) return overlay.endLine();
    overlay.dropLine();
    this.lastClick = down;
    // Where the button went down: a hand that slips while it clicks still meant that point.
    overlay.pick(down);
  }

  /** @param {PointerEvent} event */
  onCancel(event) {
    if (this.fingers.delete(event.pointerId)) this.endFinger(placed(event));
    this.down = null;
    this.overlay.dropLine();
    this.overlay.hover(null);
    if (this.pinch) this.endPinch(this.pinch);
  }

  /** @param {PointerEvent} event */
  onLeave(event) {
    if (this.fingers.has(event.pointerId)) return; // it is lifted outside
    this.lastClick = null;
    this.overlay.hover(null);
  }

  /** @param {ScreenPoint} from @param {ScreenPoint} place */
  movePan(from, place) {
    if (this.doing !== "pan") pan(this.chart, "mousedown", from);
    clearTimeout(this.press);
    this.doing = "pan";
    pan(this.chart, "mousemove", place);
  }

  /** One finger was lifted, or is alone no longer. @param {ScreenPoint} place */
  endFinger(place) {
    clearTimeout(this.press);
    if (this.doing === "pan") pan(this.chart, "mouseup", place);
    this.doing = "";
    this.overlay.hover(null);
  }

  /** A second finger came down: no look, no line, no click, but zoom or pan. */
  startPinch() {
    this.endFinger([...this.fingers.values()][0]);
    this.down = null;
    this.overlay.dropLine();
    if (this.pinch) this.endPinch(this.pinch);
    this.pinch = { ...this.span(), mode: "" };
  }

  movePinch() {
    const { pinch } = this;
    this.frame = 0;
    if (!pinch || this.fingers.size < 2) return; // one was lifted
    const { span, middle } = this.span();
    if (!pinch.mode) {
      if (Math.abs(Math.log(span / pinch.span)) > Math.log(PINCHING)) pinch.mode = "zoom";
      else if (Math.hypot(middle.x - pinch.middle.x, middle.y - pinch.middle.y) > SHIFTING) pinch.mode = "pan";
      if (pinch.mode === "pan") pan(this.chart, "mousedown", pinch.middle);
    }
    if (pinch.mode === "zoom") {
      zoom(this.chart, middle, span / pinch.span);
      pinch.span = span;
    }
    pinch.middle = pinch.mode ? middle : pinch.middle;
    if (pinch.mode === "pan") pan(this.chart, "mousemove", middle);
  }

  /** @param {NonNullable<Gestures["pinch"]>} pinch */
  endPinch(pinch) {
    if (pinch.mode === "pan") pan(this.chart, "mouseup", pinch.middle);
    pinch.mode = "";
    if (!this.fingers.size) this.pinch = null; // the other finger still does nothing
  }

  /** How far apart the first two fingers are, and what lies between them. */
  span() {
    const [a, b = a] = this.fingers.values();
    return { span: Math.hypot(a.x - b.x, a.y - b.y), middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }
}

/** @param {PointerEvent} event @returns {ScreenPoint} */
function placed(event) {
  return { x: event.clientX, y: event.clientY };
}

/** @param {PointerEvent} event @param {ScreenPoint} from */
function isFar(event, from) {
  const travel = CLICK_TRAVEL[/** @type {"mouse" | "pen" | "touch"} */ (event.pointerType)] ?? CLICK_TRAVEL.mouse;
  return Math.hypot(event.clientX - from.x, event.clientY - from.y) > travel;
}
