// @ts-check
// What is known here of Plotly's insides: its axes, and how its zoom and pan are driven from outside.

/** @typedef {{x: number, y: number}} ScreenPoint a place on the screen, in pixels */

const ROUNDING = 1e-3; // pixels: a place on the edge is inside
const WHEEL_STEP = 20; // Plotly zooms by exp(deltaY / 200), and takes no more than this at once

/** The part of a chart that zooms and pans. @param {Element} chart @returns {Element | null} */
export const planeOf = (chart) => chart.querySelector(".nsewdrag");

/** @param {any} chart @returns {{xaxis: any, yaxis: any}} */
export const axesOf = (chart) => chart._fullLayout._plots.xy;

/** The coordinates at a place; null outside the axes. @param {any} chart @param {ScreenPoint} place */
export function pointAt(chart, { x: left, y: top }) {
  const box = chart.getBoundingClientRect();
  const { xaxis, yaxis } = axesOf(chart);
  const across = left - box.left - xaxis._offset;
  const up = yaxis._length - (top - box.top - yaxis._offset);
  const isInside = (/** @type {any} */ axis, /** @type {number} */ pixel) => pixel > -ROUNDING && pixel < axis._length + ROUNDING;
  return isInside(xaxis, across) && isInside(yaxis, up) ? [toData(xaxis, across), toData(yaxis, up)] : null;
}

/** Where a point stands. @param {any} chart @param {number[]} point @returns {ScreenPoint} */
export function screenPointOf(chart, [x, y]) {
  const box = chart.getBoundingClientRect();
  const { xaxis, yaxis } = axesOf(chart);
  return {
    x: box.left + xaxis._offset + toPixel(xaxis, x),
    y: box.top + yaxis._offset + yaxis._length - toPixel(yaxis, y),
  };
}

/** A place, or the nearest one within the axes, by so many pixels.
 * @param {any} chart @param {ScreenPoint} place @param {number} margin @returns {ScreenPoint} */
export function inside(chart, { x, y }, margin = 0) {
  const box = chart.getBoundingClientRect();
  const { xaxis, yaxis } = axesOf(chart);
  const left = box.left + xaxis._offset;
  const top = box.top + yaxis._offset;
  return {
    x: Math.min(Math.max(x, left + margin), left + xaxis._length - margin),
    y: Math.min(Math.max(y, top + margin), top + yaxis._length - margin),
  };
}

// Plotly keeps an axis' range current during zoom and pan, its own converters only afterwards.
/** @param {any} axis @param {number} value */
export function toPixel(axis, value) {
  const [from, to] = axis.range;
  return (((axis.type === "log" ? Math.log10(value) : value) - from) / (to - from)) * axis._length;
}

/** The coordinate under a pixel, with the decimals that a hundredth of a pixel is worth.
 * @param {any} axis @param {number} pixel */
function toData(axis, pixel) {
  const [from, to] = axis.range;
  const unitsPerPixel = (to - from) / axis._length;
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(unitsPerPixel))));
  return Number((from + pixel * unitsPerPixel).toFixed(Math.min(decimals, 20)));
}

/** Plotly writes the domain to which it narrows an axis, to keep units equal, into the figure that it was given. Drawn anew
 * from that figure, as for the full screen and back, it would be narrowed once more. @param {any} chart */
export function keepWholeDomains(chart) {
  for (const axis of [chart.layout?.xaxis, chart.layout?.yaxis]) {
    if (axis?.constrain === "domain") axis.domain = [0, 1];
  }
}

/** Whether a chart is drawn, to its last part. @param {any} chart */
export const isPlotted = (chart) => Boolean(chart.querySelector(".updatemenu-button"));

/** Plotly's own `restyle`, which no page can reach: through the one button of a menu that is never seen, see `figures.py`.
 * @param {any} chart @param {Record<string, unknown[]>} update @param {number[]} traces */
export function restyle(chart, update, traces) {
  call(chart, "restyle", [update, traces]);
}

/** `restyle` that leaves the axes' ranges as they are: Plotly chooses them anew where a trace gets another type. Likewise.
 * @param {any} chart @param {Record<string, unknown[]>} update @param {number[]} traces */
export function restyleWithin(chart, update, traces) {
  const { xaxis, yaxis } = axesOf(chart);
  call(chart, "update", [update, { "xaxis.range": [...xaxis.range], "yaxis.range": [...yaxis.range] }, traces]);
}

/** As a user zooms: it also lasts where Streamlit draws the chart anew from what it copied before. Likewise.
 * @param {any} chart @param {number[][]} ranges of both axes */
export function zoomTo(chart, [x, y]) {
  call(chart, "_guiRelayout", [{ "xaxis.range": x, "yaxis.range": y }]);
}

/** The titles of both axes; the upwards one's is an annotation, see `figures.py`. @param {any} chart @returns {string[]} */
export const titlesOf = (chart) => [chart._fullLayout.xaxis.title.text, upwards(chart)?.text ?? ""];

/** Give other titles to the axes. @param {any} chart @param {string[]} titles as `titlesOf` */
export function nameAxes(chart, [x, y]) {
  const at = chart._fullLayout.annotations.indexOf(upwards(chart));
  call(chart, "_guiRelayout", [{ "xaxis.title.text": x, [`annotations[${at}].text`]: y }]);
}

/** @param {any} chart @returns {any} */
const upwards = (chart) => chart._fullLayout.annotations.find((/** @type {any} */ each) => each.name === "upwards");

/** @param {any} chart @param {"restyle" | "update" | "_guiRelayout"} method @param {unknown[]} args */
function call(chart, method, args) {
  const button = chart.querySelector(".updatemenu-button");
  Object.assign(button.__data__, { method, args }); // what the button does, also where the layout has a newer copy of it
  button.dispatchEvent(new MouseEvent("click"));
}

/** As the wheel does. @param {any} chart @param {ScreenPoint} place that stays @param {number} factor above 1: nearer */
export function zoom(chart, { x, y }, factor) {
  const turn = -200 * Math.log(factor);
  const times = Math.ceil(Math.abs(turn) / WHEEL_STEP);
  for (let time = 0; time < times; time++) {
    const wheel = { clientX: x, clientY: y, deltaY: turn / times, bubbles: true, cancelable: true };
    planeOf(chart)?.dispatchEvent(new WheelEvent("wheel", wheel));
  }
}

/** A part of a pan, as the mouse does it.
 * @param {any} chart @param {"mousedown" | "mousemove" | "mouseup"} type @param {ScreenPoint} place */
export function pan(chart, type, { x, y }) {
  const mouse = new MouseEvent(type, { clientX: x, clientY: y, buttons: 1, bubbles: true, cancelable: true });
  (type === "mousedown" ? planeOf(chart) : document)?.dispatchEvent(mouse);
}

/** To what the chart showed at first. @param {any} chart */
export function reset(chart) {
  chart.querySelector('.modebar-btn[data-attr="zoom"][data-val="reset"]')?.dispatchEvent(new MouseEvent("click"));
}
