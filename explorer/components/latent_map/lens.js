// @ts-check
// The answer: a picture and words from the server. Over the picture lies the lens: the decode of any point, at once.

import { vectorOf } from "./words.js";

const OUTSIDE = "too far out to look ahead: click";
const LATER = "the live picture is on its way: click";
const NONE = "no live picture: click";

export class Lens {
  /** @param {HTMLElement} place where the answer stands */
  constructor(place) {
    this.answer = place.appendChild(document.createElement("div"));
    this.answer.className = "map-answer";
    this.html = "";
    this.words = ""; // the answer's own
    this.shown = ""; // those that stand there
    this.caption = ""; // the answer's own
    this.canvas = document.createElement("canvas");
    this.canvas.className = "lens";
    this.canvas.ariaHidden = "true";
    this.note = document.createElement("p");
    this.note.className = "missing";
    this.note.role = "status";
  }

  /** Show another answer. @param {string} html */
  fill(html) {
    if (html === this.html) return;
    this.answer.innerHTML = this.html = html;
    const caption = this.answer.querySelector("figcaption");
    this.caption = caption?.textContent ?? "";
    this.words = this.shown = this.text?.innerHTML ?? "";
    if (caption) caption.ariaLive = "polite"; // the keyboard's cursor is told as it moves
  }

  /** Where the words of a pick stand; null: this answer has none. @returns {HTMLElement | null} */
  get text() {
    return this.answer.querySelector(".card.pick > :last-child:has(h5)");
  }

  /** Say other words than the answer's own; empty: its own. With them, the original that they are about.
   * @param {string} words @param {number} image */
  say(words, image) {
    const { text } = this;
    if (!text || this.shown === (words || this.words)) return;
    text.innerHTML = this.shown = words || this.words;
    const place = text.querySelector(".original:empty");
    if (place) place.append(originalOf(image));
    if (this.note.textContent) text.append(this.note);
  }

  /** One sentence on what is missing; an empty one: nothing is. @param {string} sentence */
  tell(sentence) {
    if (this.note.textContent !== sentence) this.note.textContent = sentence;
    if (!sentence) this.note.remove();
    else if (!this.note.isConnected) (this.answer.querySelector(".card > :last-child") ?? this.answer).append(this.note);
  }

  /** Show the decode of a point; without one, the answer's own picture.
   * @param {any} atlas undefined: not here yet
   * @param {number[] | undefined} point
   * @param {string} source what points there: mouse, finger or cursor; nothing: the point was picked, and its picture will come */
  show(atlas, point, source) {
    const picture = this.answer.querySelector("figure img");
    const caption = this.answer.querySelector("figcaption");
    if (!picture || !caption) return;
    const decode = point && atlas?.decode?.(...point);
    const instead = !atlas ? LATER : atlas.decode ? OUTSIDE : NONE;
    caption.textContent = !point || !source ? this.caption : decode ? `under the ${source}: ${vectorOf(point)}` : instead;
    if (!decode) return this.canvas.remove();
    const image = new ImageData(atlas.size, atlas.size);
    for (let pixel = 0; pixel < decode.length; pixel++) image.data.fill(decode[pixel], 4 * pixel, 4 * pixel + 3);
    for (let alpha = 3; alpha < image.data.length; alpha += 4) image.data[alpha] = 255;
    if (this.canvas.width !== atlas.size) this.canvas.width = this.canvas.height = atlas.size;
    /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d")).putImageData(image, 0, 0);
    if (this.canvas.previousSibling !== picture) picture.after(this.canvas);
  }
}

/** A test image. @param {number} image */
function originalOf(image) {
  const { image: all, size, columns } = /** @type {any} */ (globalThis).latentOriginals;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.ariaHidden = "true";
  const [left, top] = [(image % columns) * size, Math.floor(image / columns) * size];
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(all, left, top, size, size, 0, 0, size, size);
  return canvas;
}
