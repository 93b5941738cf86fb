// @ts-check
// Keys for the one who presents. They press what stands on the page: its radios, its slider, its Play button.

import { lifecycle } from "../lifecycle.js";

const FACES = /** @type {Record<string, string>} */ ({ c: "codes", i: "images", g: "grid" });
const HELP = [
  ["1 – 9", "a tool"], // named as the list is shown: some may be left out
  ["← →", "the tool's slider"],
  ["Space", "play, or pause, the film"],
  ["c i g", "codes, images, grid"],
  ["", "Mouse at the top: experiment and tools"],
  ["?", "this list"],
];

export default lifecycle(() => new Present());

class Present {
  constructor() {
    this.listening = new AbortController();
    document.addEventListener("keydown", (event) => this.onKey(event), { signal: this.listening.signal });
    // A field of the bar keeps the focus after a click; the maps never take it.
    document.addEventListener("pointerdown", (event) => leaveBar(event.target), { signal: this.listening.signal, capture: true });
    this.help = document.createElement("div");
    this.help.className = "present-help";
    this.help.role = "note";
    const list = this.help.appendChild(document.createElement("ul"));
    for (const [keys, what] of HELP) {
      const item = list.appendChild(document.createElement("li"));
      const words = Object.assign(document.createElement("span"), { textContent: what });
      item.append(...keys.split(" ").filter(Boolean).flatMap((key) => [Object.assign(document.createElement("kbd"), { textContent: key }), " "]), words);
    }
    this.tools = /** @type {HTMLElement} */ (list.querySelector("span"));
  }

  update() {}

  remove() {
    this.listening.abort();
    this.help.remove();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    if (event.key.startsWith("Arrow") && event.target instanceof HTMLInputElement) return; // the slider's own
    if (!this.handles(event.key)) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has shortcuts of its own
  }

  showHelp() {
    const tools = radios(".st-key-tab").slice(0, 9).map((radio, at) => `${at + 1}\u00a0${radio.textContent?.trim()}`);
    this.tools.textContent = tools.join(", ");
    document.body.append(this.help);
  }

  /** @param {string} key @returns {boolean} whether the key does something here */
  handles(key) {
    if (key === "?") return this.help.isConnected ? (this.help.remove(), true) : (this.showHelp(), true);
    if (key >= "1" && key <= "9") return press(radios(".st-key-tab")[Number(key) - 1]);
    if (FACES[key]) return press(radios(".st-key-face").find((radio) => radio.textContent === FACES[key]));
    if (key === " ") return press(document.querySelector(".film-controls button"));
    if (key === "ArrowLeft" || key === "ArrowRight") return move(key === "ArrowRight" ? 1 : -1);
    return false;
  }
}

/** @param {EventTarget | null} clicked */
function leaveBar(clicked) {
  if (clicked instanceof Element && clicked.closest(".st-key-topbar")) return;
  /** @type {HTMLElement | null} */ (document.querySelector(".st-key-topbar :focus"))?.blur();
}

/** @param {string} group @returns {HTMLElement[]} */
function radios(group) {
  return [...document.querySelectorAll(`${group} [role="radio"]`)].map((each) => /** @type {HTMLElement} */ (each));
}

/** @param {Element | null | undefined} control @returns {boolean} whether there is one */
function press(control) {
  /** @type {HTMLElement | null | undefined} */ (control)?.click();
  return Boolean(control);
}

/** Move the tool's first slider by a step. @param {1 | -1} by @returns {boolean} whether there is one */
function move(by) {
  const slider = /** @type {HTMLInputElement | null} */ (
    document.querySelector('.film-controls input[type="range"], .st-key-strip input[type="range"]')
  );
  if (!slider) return false;
  if (slider.closest(".film-controls")) {
    slider.dispatchEvent(new KeyboardEvent("keydown", { key: by > 0 ? "ArrowRight" : "ArrowLeft", bubbles: true }));
    return true;
  }
  const next = Math.min(Math.max(Number(slider.value) + by * Number(slider.step || 1), Number(slider.min)), Number(slider.max));
  // React keeps the value that it knows: the element's own setter tells it of another.
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(slider, String(next));
  // It tells the server when a key is let go.
  const key = by > 0 ? "ArrowRight" : "ArrowLeft";
  slider.focus();
  slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type, { bubbles: true }));
  slider.dispatchEvent(new KeyboardEvent("keyup", { key, bubbles: true }));
  return true;
}

/** Where keys write, or have a meaning of their own. @param {EventTarget | null} place */
function isTyping(place) {
  return place instanceof Element && Boolean(place.closest('input:not([type="range"]), textarea, select, [role="application"], [contenteditable]'));
}
