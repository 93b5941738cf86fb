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
  const marks = named.map((/** @type {any} */ { x, y, marker }) => {
    const opacity = marker.opacity ?? 1; // the legend greys it out
    return { x: toPixel(xaxis, x[0]), y: height - toPixel(yaxis, y[0]), opacity, isFaint: opacity < 1 };
  });
  pen.font = FONT;
  const widths = named.map((/** @type {any} */ trace) => pen.measureText(trace.text[0]).width);
  for (const [at, place] of placeNames(marks, widths).entries()) {
    const middle = { "text-anchor": "middle", "dominant-baseline": "central", opacity: marks[at].opacity };
    const made = element("text", { ...middle, ...(place ?? { visibility: "hidden" }), class: "label" });
    made.textContent = named[at].text[0];
    view.append(made);
  }
  return view;
}
