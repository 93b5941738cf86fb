// @ts-check
// The names of classes at their codes, where they are too long for the circles that Plotly draws.

import { element } from "./marks.js";
import { placeNames } from "./names.js";
import { axesOf, toPixel } from "./plotly.js";

const FONT = '600 15px "Source Sans", sans-serif'; // as in `map.css`
const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/** @param {any} chart */
export function labels(chart) {
  const { xaxis, yaxis } = axesOf(chart);
  const [width, height] = [xaxis._length, yaxis._length];
  const view = element("svg", { class: "labels", x: xaxis._offset, y: yaxis._offset, width, height });
  const named = chart.data.filter((/** @type {any} */ trace) => trace.name === "label" && !trace.mode.includes("text"));
  // What the legend greys out gives way.
  const order = named.toSorted((/** @type {any} */ one, /** @type {any} */ other) => opacityOf(other) - opacityOf(one));
  pen.font = FONT;
  const places = placeNames(
    order.map((/** @type {any} */ { x, y }) => ({ x: toPixel(xaxis, x[0]), y: height - toPixel(yaxis, y[0]) })),
    order.map((/** @type {any} */ trace) => pen.measureText(trace.text[0]).width),
  );
  for (const trace of named) {
    const place = places[order.indexOf(trace)];
    const middle = { "text-anchor": "middle", "dominant-baseline": "central", opacity: opacityOf(trace) };
    const made = element("text", { ...middle, ...(place ?? { visibility: "hidden" }), class: "label" });
    made.textContent = trace.text[0];
    view.append(made);
  }
  return view;
}

/** @param {any} trace which the legend may have greyed out */
function opacityOf(trace) {
  return trace.marker.opacity ?? 1;
}
