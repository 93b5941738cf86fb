// @ts-check
// Lies over a Plotly chart of the same page. The chart stays Plotly's: zoom, pan and legend work as
// ever. The overlay turns clicks into axis coordinates, reports them, and draws marks that follow. Where the
// map has an atlas, it shows the decode of the point under the mouse in place of the answer's picture: the lens.

/** @typedef {{kind: "pick" | "ring" | "ellipse" | "dots" | "path" | "moment", points: number[][], at?: number}} Mark */
/** @typedef {{chart: string, marks: Mark[], reports: boolean, answer: string, asks: boolean}} Data */

const SVG = "http://www.w3.org/2000/svg";
const CLICK_TRAVEL = 5; // pixels between down and up; farther is a pan
const OUTSIDE = "too far out to look ahead: click";
const EVENTS = ["plotly_afterplot", "plotly_relayout", "plotly_relayouting"];

/** @type {WeakMap<object, Overlay>} */
const overlays = new WeakMap();

/** Streamlit calls this at the mount and again whenever the data change; the cleanup runs at the unmount.
 * @param {{data: Data, parentElement: any, setTriggerValue: (name: string, value: any) => void}} component */
export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let overlay = overlays.get(parentElement);
  if (!overlay) {
    overlay = new Overlay(parentElement);
    overlays.set(parentElement, overlay);
  }
  overlay.update(data, setTriggerValue);
  return () => {
    overlays.get(parentElement)?.remove();
    overlays.delete(parentElement);
  };
}

class Overlay {
  /** @param {HTMLElement} place where the answer stands */
  constructor(place) {
    this.answer = place.appendChild(document.createElement("div"));
    /** @type {Data} */ this.data = { chart: "", marks: [], reports: false, answer: "", asks: false };
    /** @type {any} */ this.chart = null; // Plotly's graph div
    /** @type {any} */ this.emitter = null; // its event emitter, a new one after each purge
    /** @type {{x: number, y: number, id: number} | null} */ this.down = null;
    /** @type {number[] | null} */ this.looking = null; // the point under the mouse
    /** @type {number[][]} */ this.clicked = []; // points that the server has not answered yet
    /** @type {{x: number, y: number} | null} */ this.still = null; // where a click was, until the mouse moves on
    this.lens = document.createElement("canvas");
    this.lens.className = "lens";
    this.lens.ariaHidden = "true";
    this.layer = document.createElementNS(SVG, "svg");
    this.layer.setAttribute("class", "map-overlay");
    this.layer.setAttribute("style", "position:absolute;inset:0;width:100%;height:100%;pointer-events:none;z-index:2");
    this.draw = this.draw.bind(this);
    this.onDown = this.onDown.bind(this);
    this.onUp = this.onUp.bind(this);
    this.onCancel = this.onCancel.bind(this);
    this.onMove = this.onMove.bind(this);
    this.onLeave = this.onLeave.bind(this);
    this.resize = new ResizeObserver(this.draw);
    // Charts come and go with reruns, tabs and themes: found again whenever the page changes.
    this.changes = new MutationObserver(() => this.attach());
    this.changes.observe(document.body, { childList: true, subtree: true });
    window.addEventListener("pointerup", this.onUp, true);
    window.addEventListener("pointercancel", this.onCancel, true);
  }

  /** @param {Data} data @param {(name: string, value: any) => void} report */
  update(data, report) {
    if (data.answer !== this.data.answer) {
      this.answer.innerHTML = data.answer;
      this.caption = this.answer.querySelector("figcaption")?.textContent ?? "";
      // After two quick clicks the first one's answer does not move the cross back.
      const picked = String(data.marks.find((each) => each.kind === "pick")?.points[0]);
      const answered = this.clicked.findIndex((point) => String(point) === picked);
      this.clicked = answered < 0 ? [] : this.clicked.slice(answered + 1);
    }
    this.data = data;
    this.markClicked();
    this.report = report;
    this.layer.classList.toggle("reports", data.reports);
    this.attach();
    this.draw();
    this.look();
  }

  attach() {
    const chart = /** @type {any} */ (document.querySelector(`.st-key-${this.data.chart} .js-plotly-plot`));
    if (this.chart && !this.chart.isConnected) this.detach();
    if (!chart?._fullLayout?._plots || !chart.on) return;
    if (chart === this.chart && chart._ev === this.emitter && this.layer.parentNode === chart) return;
    this.detach();
    this.chart = chart;
    this.emitter = chart._ev;
    chart.appendChild(this.layer);
    for (const event of EVENTS) chart.on(event, this.draw);
    chart.addEventListener("pointerdown", this.onDown, true);
    chart.addEventListener("pointermove", this.onMove, true);
    chart.addEventListener("pointerleave", this.onLeave, true);
    this.resize.observe(chart);
    this.draw();
    if (this.data.asks) this.report?.("drawn", true);
  }

  detach() {
    if (!this.chart) return;
    for (const event of EVENTS) this.emitter?.removeListener?.(event, this.draw);
    this.chart.removeEventListener("pointerdown", this.onDown, true);
    this.chart.removeEventListener("pointermove", this.onMove, true);
    this.chart.removeEventListener("pointerleave", this.onLeave, true);
    this.resize.disconnect();
    this.layer.remove();
    this.chart = null;
  }

  remove() {
    this.detach();
    this.changes.disconnect();
    window.removeEventListener("pointerup", this.onUp, true);
    window.removeEventListener("pointercancel", this.onCancel, true);
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    const onControls = event.target instanceof Element && event.target.closest(".modebar, .legend");
    const single = event.isPrimary && event.button === 0 && !onControls;
    this.down = single ? { x: event.clientX, y: event.clientY, id: event.pointerId } : null;
  }

  onCancel() {
    this.down = null;
  }

  /** @param {PointerEvent} event */
  onUp(event) {
    const down = this.down;
    this.down = null;
    if (!down || down.id !== event.pointerId || !this.data.reports || !this.chart) return;
    if (Math.hypot(event.clientX - down.x, event.clientY - down.y) > CLICK_TRAVEL) return;
    // Where the button went down: a hand that slips while it clicks still meant that point.
    const point = this.pointAt(down);
    if (!point) return;
    const [x, y] = point;
    this.clicked.push(point);
    this.markClicked();
    this.draw();
    this.still = down;
    this.looking = null; // the answer shows, as long as the mouse rests
    this.look();
    this.report?.("pick", { x, y });
  }

  /** The cross stands at the last click at once; the server's answer follows. */
  markClicked() {
    const mark = this.data.marks.find((each) => each.kind === "pick");
    const last = this.clicked.at(-1);
    if (mark && last) mark.points = [last];
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    if (event.buttons && event.pointerType === "mouse") return; // a pan
    if (this.still && Math.hypot(event.clientX - this.still.x, event.clientY - this.still.y) < 2) return;
    this.still = null;
    this.looking = this.pointAt({ x: event.clientX, y: event.clientY });
    this.look();
  }

  onLeave() {
    this.looking = this.still = null;
    this.look();
  }

  /** The coordinates under a place on the screen; null outside the axes.
   * @param {{x: number, y: number}} place */
  pointAt({ x: left, y: top }) {
    const box = this.chart.getBoundingClientRect();
    const { xaxis, yaxis } = this.chart._fullLayout._plots.xy;
    const x = toData(xaxis, left - box.left - xaxis._offset);
    const y = toData(yaxis, yaxis._length - (top - box.top - yaxis._offset));
    return x === null || y === null ? null : [x, y];
  }

  /** Show the decode of the point under the mouse, else of the one just clicked, else the answer's own picture. */
  look() {
    const atlas = /** @type {any} */ (globalThis).latentAtlases?.get(this.data.chart);
    const picture = this.answer.querySelector("figure img");
    const point = this.looking ?? this.clicked.at(-1);
    if (!atlas || !picture) return;
    const decode = point && atlas.decode(...point);
    const caption = /** @type {HTMLElement} */ (this.answer.querySelector("figcaption"));
    caption.textContent = !this.looking ? this.caption : decode ? `under the mouse: ${named(this.looking)}` : OUTSIDE;
    if (!decode) return this.lens.remove();
    const image = new ImageData(atlas.size, atlas.size);
    for (let pixel = 0; pixel < decode.length; pixel++) image.data.fill(decode[pixel], 4 * pixel, 4 * pixel + 3);
    for (let alpha = 3; alpha < image.data.length; alpha += 4) image.data[alpha] = 255;
    if (this.lens.width !== atlas.size) this.lens.width = this.lens.height = atlas.size;
    this.lens.getContext("2d")?.putImageData(image, 0, 0);
    if (this.lens.previousSibling !== picture) picture.after(this.lens);
  }

  draw() {
    if (!this.chart?._fullLayout?._plots) return;
    const panels = Object.values(this.chart._fullLayout._plots);
    this.layer.replaceChildren(...panels.map((panel) => this.drawPanel(/** @type {any} */ (panel))));
  }

  /** @param {{xaxis: any, yaxis: any}} panel */
  drawPanel({ xaxis, yaxis }) {
    const view = element("svg", { x: xaxis._offset, y: yaxis._offset, width: xaxis._length, height: yaxis._length });
    for (const mark of this.data.marks) {
      const pixels = mark.points.map(([x, y]) => [toPixel(xaxis, x), yaxis._length - toPixel(yaxis, y)]);
      // Each shape twice, light below and dark above: it stands out on codes, decodes and both themes.
      for (const [colour, extra] of /** @type {[string, number][]} */ ([["white", 3], ["black", 0]])) {
        view.append(...shapes(mark, pixels, yaxis._length, colour, extra));
      }
    }
    return view;
  }
}

/** @param {Mark} mark @param {number[][]} pixels @param {number} height @param {string} colour @param {number} extra */
function shapes(mark, pixels, height, colour, extra) {
  const stroke = { fill: "none", stroke: colour, "stroke-width": 2.5 + extra, "stroke-linecap": "round" };
  const [x, y] = pixels[0];
  switch (mark.kind) {
    case "pick":
      return [element("path", { ...stroke, class: "pick", d: `M${x - 12} ${y}h8m8 0h8M${x} ${y - 12}v8m0 8v8` })];
    case "ring":
      return [element("circle", { ...stroke, class: "ring", cx: x, cy: y, r: 9 })];
    case "ellipse":
      return [element("polygon", { ...stroke, "stroke-width": 1.5 + extra, class: "ellipse", points: pixels.join(" ") })];
    case "dots":
      return pixels.map(([cx, cy]) => element("circle", { class: "dot", cx, cy, r: 4 + extra / 2, fill: colour }));
    case "moment":
      return [element("path", { ...stroke, class: "moment", d: `M${x} 0V${height}` })];
    case "path": {
      const [cx, cy] = pixels[mark.at ?? 0];
      return [
        element("polyline", { ...stroke, class: "path", points: pixels.join(" ") }),
        element("circle", { ...stroke, class: "at", cx, cy, r: 7, fill: colour === "black" ? "white" : "none" }),
      ];
    }
  }
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** As the server writes it: three significant digits. @param {number[]} point */
function named(point) {
  return `(${point.map((value) => String(Number(value.toPrecision(3))).replace("-", "−")).join(", ")})`;
}

// Plotly keeps an axis' range current during zoom and pan, its own converters only afterwards.
/** @param {any} axis @param {number} value */
function toPixel(axis, value) {
  const [from, to] = axis.range;
  return (((axis.type === "log" ? Math.log10(value) : value) - from) / (to - from)) * axis._length;
}

/** The coordinate under a pixel, with the decimals that a hundredth of a pixel is worth; null outside the axis.
 * @param {any} axis @param {number} pixel */
function toData(axis, pixel) {
  if (pixel < 0 || pixel > axis._length) return null;
  const [from, to] = axis.range;
  const unitsPerPixel = (to - from) / axis._length;
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(unitsPerPixel))));
  return Number((from + pixel * unitsPerPixel).toFixed(Math.min(decimals, 20)));
}
