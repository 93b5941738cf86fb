// @ts-check
// The words of a point of a map, as the server writes them (`views/explore.py`), at once.

/** @typedef {import("./codes.js").Near} Near */

/** The point's words as HTML. @param {number[]} point @param {Near} near @param {boolean} hasOriginal */
export function wordsOf(point, near, hasOriginal) {
  const verdict = near.visible && near.percentile > 99 ? "In a gap" : near.visible && near.percentile > 90 ? "At the edge of a cluster" : "Among the codes";
  const sparser = near.percentile < 100 ? `sparser than at ${whole(near.percentile)}\u00a0% of the codes` : "sparser than at any code";
  const than = near.visible ? sparser : "its nearest codes lie less than a dot away";
  const original = hasOriginal ? '<span class="original"></span>' : "";
  return (
    `<h5>Decoded at ${vectorOf(point)}</h5>` +
    `<p>${original}Nearest test code: <b>${near.name}</b> (image ${near.image}), ${away(near.distance)}.</p>` +
    `<p><span title="Its 5th nearest code is ${away(near.kth)}"><b>${verdict}</b>: ${than}.</span></p>`
  );
}

/** @param {number[]} point */
export function vectorOf(point) {
  return `(${point.map((value) => general(value, 3)).join(", ")})`;
}

/** @param {number} distance */
function away(distance) {
  return `${general(distance, 2)} away`;
}

/** To the nearest even, as Python rounds. @param {number} value */
function whole(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 && floor % 2 === 0 ? floor : Math.round(value);
}

/** As Python's format `.{digits}g`, with a real minus sign. @param {number} value @param {number} digits */
function general(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  const scientific = power < -4 || power >= digits;
  const padded = `e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const text = value === 0 ? "0" : scientific ? `${Number(mantissa)}${padded}` : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}
