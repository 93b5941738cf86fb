// @ts-check
// What lies outside of what a map shows: how many codes, and in which direction the pick.

import { element } from "./marks.js";
import { axesOf, toPixel } from "./plotly.js";

const INSET = 8; // pixels from the edge
const ARROW = 11; // half of its length, in pixels

/** @param {any} chart @param {number[] | undefined} picked */
export function edges(chart, picked) {
  const { xaxis, yaxis } = axesOf(chart);
  const view = element("svg", { x: xaxis._offset, y: yaxis._offset, width: xaxis._length, height: yaxis._length });
  const [width, height] = [xaxis._length, yaxis._length];
  const { left, right, above, below } = countOutside(chart);
  if (left) view.append(label(`◀ ${left}`, INSET, height / 4, "start"));
  if (right) view.append(label(`${right} ▶`, width - INSET, height / 4, "end"));
  if (above) view.append(label(`▲ ${above}`, width / 4, INSET + 10, "middle"));
  if (below) view.append(label(`▼ ${below}`, width / 4, height - INSET - 20, "middle"));
  if (picked) view.append(...arrow(toPixel(xaxis, picked[0]), height - toPixel(yaxis, picked[1]), width, height));
  return view;
}

/** @param {any} chart */
function countOutside(chart) {
  const { xaxis, yaxis } = axesOf(chart);
  const [[x0, x1], [y0, y1]] = [xaxis.range, yaxis.range];
  const counts = { left: 0, right: 0, above: 0, below: 0 };
  for (const trace of chart._fullData) {
    if (!trace.legendgroup || trace.name === "label") continue;
    for (let i = 0; i < trace.x.length; i++) {
      if (trace.x[i] < x0) counts.left++;
      else if (trace.x[i] > x1) counts.right++;
      else if (trace.y[i] > y1) counts.above++;
      else if (trace.y[i] < y0) counts.below++;
    }
  }
  return counts;
}

/** @param {string} text @param {number} x @param {number} y @param {string} anchor */
function label(text, x, y, anchor) {
  const made = element("text", { x, y, "text-anchor": anchor, class: "outside" });
  made.textContent = text;
  return made;
}

/** At the edge, towards a place outside; nothing for one inside.
 * @param {number} x @param {number} y @param {number} width @param {number} height */
function arrow(x, y, width, height) {
  if (x >= 0 && x <= width && y >= 0 && y <= height) return [];
  const clamp = (/** @type {number} */ value, /** @type {number} */ end) => Math.min(Math.max(value, 16), end - 16);
  const [u, v] = [clamp(x, width), clamp(y, height)];
  const turn = (Math.atan2(y - v, x - u) * 180) / Math.PI;
  const transform = `translate(${u} ${v}) rotate(${turn})`;
  return /** @type {[string, number][]} */ ([["white", 6], ["black", 2.5]]).map(([stroke, thick]) =>
    element("path", {
      class: "away", transform, stroke, "stroke-width": thick, fill: "none", "stroke-linecap": "round",
      d: `M${-ARROW} 0H${ARROW}m-7 -6l7 6l-7 6`,
    }),
  );
}
