// @ts-check
// A pad to draw on with mouse, pen, finger or keyboard, white on black. It draws by itself, and reports the strokes while
// they grow. A picture that is pasted anywhere on the page, or dropped on the pad, is handed to a file uploader.

import { lifecycle } from "../lifecycle.js";

/** @typedef {number[]} Stroke the way of the brush's middle: x, y, x, y, ..., in the pad's units */
/** @typedef {{based: boolean, strokes: Stroke[]}} Drawing */
/** @typedef {{session: string, side: number, brush: number, version: number, base: string, strokes: Stroke[], answered: number,
 *   uploader: string, hint: string}} Data */
/** @typedef {import("../lifecycle.js").Report} Report */

const PAUSE = 100; // milliseconds between two reports while a stroke grows
const PATIENCE = 3000; // milliseconds until an answer is taken for lost
const NEAR = 2; // units: closer points add nothing to a stroke
const PEN_STEP = 8; // units that an arrow key moves the pen
const FINE_STEP = 2; // with Shift
const ARROWS = new Map([["ArrowLeft", [-1, 0]], ["ArrowRight", [1, 0]], ["ArrowUp", [0, -1]], ["ArrowDown", [0, 1]]]);
const LABEL =
  "Drawing pad. Arrow keys move the pen, with Shift in small steps, two at once slantwise. Space or Enter puts it down " +
  "and lifts it. Control and Z undoes, Delete clears.";

/** What a pad that was removed had reported to a session that has not answered it.
 * @type {{session: string, version: number, number: number, history: Drawing[]} | null} */
let unanswered = null;

/** For the pad, see `mount.js`. */
export default function () {
  const page = /** @type {any} */ (globalThis);
  (page.latentPad ??= Promise.withResolvers()).resolve(
    lifecycle((place, /** @type {Data} */ data) => new Pad(place, data)),
  );
}

class Pad {
  /** @param {HTMLElement} place @param {Data} data */
  constructor(place, data) {
    this.data = { ...data, version: NaN }; // of nothing yet: `update` takes what is there
    /** @type {Report | null} */ this.report = null;
    /** @type {Drawing[]} */ this.history = []; // the last is what is on the pad, but for the growing stroke
    /** @type {Stroke | null} */ this.stroke = null; // it grows
    /** @type {number | null} */ this.pointer = null; // what draws it; null: the keyboard
    this.pen = { x: data.side / 2, y: data.side / 2, shown: false }; // the keyboard's
    /** @type {Set<string>} */ this.held = new Set(); // arrow keys
    this.number = data.answered; // of the last report
    this.sentAt = -Infinity;
    this.changed = false; // since the last report
    this.timer = 0;
    this.frame = 0;
    this.base = new Image();
    this.base.onload = () => this.paint();
    this.root = place.appendChild(document.createElement("div"));
    this.root.className = "pad";
    const paper = this.root.appendChild(document.createElement("div"));
    paper.className = "paper";
    this.canvas = paper.appendChild(document.createElement("canvas"));
    this.canvas.width = this.canvas.height = 2 * data.side; // as fine as most screens show it
    this.canvas.tabIndex = 0;
    this.canvas.role = "application";
    this.canvas.ariaLabel = LABEL;
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.hint = paper.appendChild(document.createElement("div"));
    this.hint.className = "hint";
    this.hint.ariaHidden = "true";
    this.hint.textContent = data.hint;
    const tools = this.root.appendChild(document.createElement("div"));
    tools.className = "tools";
    const button = (/** @type {string} */ name) => {
      const made = tools.appendChild(document.createElement("button"));
      made.type = "button";
      made.textContent = name;
      return made;
    };
    this.undoButton = button("Undo");
    this.clearButton = button("Clear");
    this.undoButton.onclick = () => this.undo();
    this.clearButton.onclick = () => this.clear();
    this.listening = new AbortController();
    this.listen(this.listening.signal);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.onDown(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.onMove(event), { signal });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(end, (event) => this.onUp(/** @type {PointerEvent} */ (event)), { signal });
    }
    canvas.addEventListener("keydown", (event) => this.onKey(event), { signal });
    canvas.addEventListener("keyup", (event) => this.held.delete(event.key), { signal });
    canvas.addEventListener("focus", () => this.showPen(canvas.matches(":focus-visible")), { signal });
    canvas.addEventListener("blur", () => this.onBlur(), { signal });
    canvas.addEventListener("dragover", (event) => event.preventDefault(), { signal });
    canvas.addEventListener("drop", (event) => this.take(event, event.dataTransfer), { signal });
    document.addEventListener("paste", (event) => this.take(event, event.clipboardData), { signal });
    document.addEventListener("keydown", (event) => this.onUndoKey(event), { signal });
  }

  remove() {
    const { session, version, answered } = this.data;
    const { number, history } = this;
    unanswered = number === answered && !this.changed ? null : { session, version, number, history };
    this.late?.disconnect();
    this.listening.abort();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.root.remove();
  }

  /** @param {Data} data @param {Report} report */
  update(data, report) {
    const replaced = data.version !== this.data.version;
    const isNewSession = data.session !== this.data.session;
    this.data = data;
    this.report = report;
    if (replaced) {
      this.base.src = data.base;
      this.stroke = null;
      this.changed = false;
      // What can be undone: each stroke, then the base.
      const steps = data.strokes.map((_, i) => ({ based: !!data.base, strokes: data.strokes.slice(0, i + 1) }));
      this.history = [{ based: false, strokes: [] }, ...(data.base ? [{ based: true, strokes: [] }] : []), ...steps];
      this.paint();
    } else if (isNewSession && this.number !== data.answered) {
      this.changed = true; // the last session took the report with it
    }
    if (unanswered && unanswered.session !== data.session && unanswered.version === data.version) {
      this.history = unanswered.history;
      this.number = unanswered.number;
      this.changed = true;
    }
    unanswered = null;
    this.send();
  }

  get drawing() {
    return this.history[this.history.length - 1];
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    if (!event.isPrimary || event.button !== 0 || this.pointer !== null) return;
    this.end(); // the keyboard's
    this.showPen(false);
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.begin(this.placeOf(event));
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    if (event.pointerId !== this.pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) this.extend(this.placeOf(each));
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.end();
  }

  /** A place on the screen in the pad's units. @param {PointerEvent} event */
  placeOf({ clientX, clientY }) {
    const { left, top, width } = this.canvas.getBoundingClientRect();
    return this.onPad(((clientX - left) / width) * this.data.side, ((clientY - top) / width) * this.data.side);
  }

  /** @param {number} x @param {number} y */
  onPad(x, y) {
    const [u, v] = [x, y].map((each) => Math.round(Math.min(Math.max(each, 0), this.data.side)));
    return { x: u, y: v };
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // see onUndoKey
    if (ARROWS.has(event.key)) {
      this.held.add(event.key);
      const step = event.shiftKey ? FINE_STEP : PEN_STEP;
      let { x, y } = this.pen;
      for (const key of this.held) {
        const [across, down] = ARROWS.get(key) ?? [0, 0];
        [x, y] = [x + step * across, y + step * down];
      }
      Object.assign(this.pen, this.onPad(x, y));
      this.showPen(true);
      if (this.pointer === null) this.extend(this.pen);
    } else if (event.key === " " || event.key === "Enter") {
      if (!event.repeat) this.turnPen();
    } else if (event.key === "Escape") {
      this.end();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else return;
    event.preventDefault();
  }

  /** The keyboard's pen goes down, or up. */
  turnPen() {
    if (this.pointer !== null) return;
    this.showPen(true);
    if (this.stroke) this.end();
    else this.begin(this.pen);
  }

  /** @param {boolean} shown */
  showPen(shown) {
    this.pen.shown = shown;
    this.paint();
  }

  onBlur() {
    this.held.clear();
    if (this.pointer === null) this.end();
    this.showPen(false);
  }

  /** Anywhere on the page but where text is edited. @param {KeyboardEvent} event */
  onUndoKey(event) {
    const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
    const place = event.target instanceof HTMLElement ? event.target : document.body;
    if (!isUndo || place.isContentEditable || place.matches("input, textarea")) return;
    event.preventDefault();
    this.undo();
  }

  /** @param {{x: number, y: number}} place */
  begin({ x, y }) {
    this.stroke = [x, y];
    this.change();
  }

  /** @param {{x: number, y: number}} place */
  extend({ x, y }) {
    if (!this.stroke) return;
    const [u, v] = this.stroke.slice(-2);
    if (Math.hypot(x - u, y - v) < NEAR) return;
    this.stroke.push(x, y);
    this.change();
  }

  end() {
    if (!this.stroke) return;
    const { based, strokes } = this.drawing;
    this.history.push({ based, strokes: [...strokes, this.stroke] });
    this.stroke = null;
    this.change();
  }

  undo() {
    if (this.stroke) {
      this.stroke = this.pointer = null;
    } else if (this.history.length > 1) {
      this.history.pop();
    } else return;
    this.change();
  }

  /** This, too, can be undone. */
  clear() {
    this.end();
    if (this.isEmpty()) return;
    this.history.push({ based: false, strokes: [] });
    this.change();
  }

  isEmpty() {
    return !this.drawing.based && !this.strokes().length;
  }

  strokes() {
    return this.stroke ? [...this.drawing.strokes, this.stroke] : this.drawing.strokes;
  }

  change() {
    this.changed = true;
    this.paint();
    this.send();
  }

  /** Report what is new: one at a time, and of a growing stroke ten times a second. */
  send() {
    clearTimeout(this.timer);
    if (!this.changed) return;
    const since = performance.now() - this.sentAt;
    const waiting = this.number !== this.data.answered ? PATIENCE : this.stroke ? PAUSE : 0;
    if (since < waiting) {
      this.timer = setTimeout(() => this.send(), waiting - since);
      return;
    }
    this.changed = false;
    this.sentAt = performance.now();
    const { based } = this.drawing;
    this.report?.("drawn", { number: ++this.number, version: this.data.version, based, strokes: this.strokes() });
  }

  /** Paint in the next frame, however often it is asked for. */
  paint() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paintNow();
    });
  }

  paintNow() {
    const { context, drawing } = this;
    const { side, brush } = this.data;
    const scale = this.canvas.width / side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, side, side);
    if (drawing.based && this.base.complete) context.drawImage(this.base, 0, 0, side, side);
    context.strokeStyle = context.fillStyle = "white";
    context.lineWidth = brush;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.strokes()) {
      context.beginPath();
      for (let i = 0; i < stroke.length; i += 2) context.lineTo(stroke[i], stroke[i + 1]);
      if (stroke.length === 2) context.lineTo(stroke[0] + 0.01, stroke[1]); // a dot
      context.stroke();
    }
    if (this.pen.shown) this.paintPen();
    this.hint.hidden = !this.isEmpty() || this.pen.shown;
    this.undoButton.disabled = this.history.length === 1 && !this.stroke;
    this.clearButton.disabled = this.isEmpty();
  }

  /** A ring in two colours, to be seen on white and on black; full while the pen is down. */
  paintPen() {
    const { context } = this;
    for (const [colour, width] of /** @type {[string, number][]} */ ([["white", 5], ["#d80b03", 2.5]])) {
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(this.pen.x, this.pen.y, this.data.brush / 2, 0, 2 * Math.PI);
      context.stroke();
    }
    if (!this.stroke) return;
    context.beginPath();
    context.arc(this.pen.x, this.pen.y, this.data.brush / 4, 0, 2 * Math.PI);
    context.fill();
  }

  /** Hand a picture that was pasted or dropped to the file uploader, which sends it and says what is wrong with it.
   * @param {Event} event @param {DataTransfer | null} source */
  take(event, source) {
    // Not every browser knows the type of a phone's photographs.
    const isPicture = (/** @type {File} */ file) => file.type.startsWith("image/") || /\.hei[cf]$/i.test(file.name);
    const picture = [...(source?.files ?? [])].find((file) => event.type === "drop" || isPicture(file));
    if (!picture) return;
    event.preventDefault();
    this.late?.disconnect();
    if (this.hand(picture)) return;
    this.late = new MutationObserver(() => this.hand(picture) && this.late?.disconnect()); // its script comes late
    this.late.observe(document.body, { childList: true, subtree: true });
  }

  /** @param {File} picture @returns {boolean} whether the uploader is there */
  hand(picture) {
    const input = /** @type {HTMLInputElement | null} */ (
      document.querySelector(`.st-key-${this.data.uploader} input[type="file"]`)
    );
    if (!input) return false;
    const files = new DataTransfer();
    files.items.add(picture);
    input.files = files.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }
}
