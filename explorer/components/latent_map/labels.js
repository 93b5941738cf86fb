// @ts-check
// The names of classes at their codes, where they are too long for the circles that Plotly draws.

import { element } from "./marks.js";
import { axesOf, toPixel } from "./plotly.js";

const BELOW = 15; // pixels from the middle of a class' mark to the middle of its name

/** @param {any} chart */
export function labels(chart) {
  const { xaxis, yaxis } = axesOf(chart);
  const [width, height] = [xaxis._length, yaxis._length];
  const view = element("svg", { class: "labels", x: xaxis._offset, y: yaxis._offset, width, height });
  for (const trace of chart.data) {
    if (trace.name !== "label" || trace.mode.includes("text")) continue;
    const y = height - toPixel(yaxis, trace.y[0]) + BELOW;
    const opacity = trace.marker.opacity ?? 1; // the legend greys it out
    const middle = { "text-anchor": "middle", "dominant-baseline": "central" };
    const made = element("text", { ...middle, x: toPixel(xaxis, trace.x[0]), y, opacity, class: "label" });
    made.textContent = trace.text[0];
    view.append(made);
  }
  return view;
}
