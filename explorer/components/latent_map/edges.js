// @ts-check
// What lies outside of what a map shows: how many codes, and in which direction the pick.

import { element } from "./marks.js";
import { axesOf, toPixel } from "./plotly.js";

const INSET = 8; // pixels from the edge
const ARROW = 11; // half of its length, in pixels
const LINE = 20; // pixels
const MOST_LETTERS = 16; // of the classes' names: a label is less than half a map wide

/** @param {any} chart @param {number[] | undefined} picked */
export function edges(chart, picked) {
  const { xaxis, yaxis } = axesOf(chart);
  const view = element("svg", { x: xaxis._offset, y: yaxis._offset, width: xaxis._length, height: yaxis._length });
  const [width, height] = [xaxis._length, yaxis._length];
  const { left, right, above, below } = outside(chart);
  if (left.codes) view.append(label(`◀ ${said(left)}`, INSET, height / 4, "start"));
  if (right.codes) view.append(label(`${said(right)} ▶`, width - INSET, height / 4 + LINE, "end"));
  if (above.codes) view.append(label(`▲ ${said(above)}`, width / 8, INSET + 10, "start"));
  if (below.codes) view.append(label(`▼ ${said(below)}`, width / 8, height - INSET - 20, "start"));
  if (picked) view.append(...arrow(toPixel(xaxis, picked[0]), height - toPixel(yaxis, picked[1]), width, height));
  return view;
}

/** What lies beyond an edge: how many codes, and the classes that have more than half of theirs there.
 * @typedef {{codes: number, classes: string[]}} Beyond */

/** @param {any} chart */
function outside(chart) {
  const { xaxis, yaxis } = axesOf(chart);
  const [[x0, x1], [y0, y1]] = [xaxis.range, yaxis.range];
  const [left, right, above, below] = [0, 1, 2, 3].map(() => /** @type {Beyond} */ ({ codes: 0, classes: [] }));
  const labels = chart._fullData.filter((/** @type {any} */ trace) => trace.name === "label");
  const names = new Map(labels.map((/** @type {any} */ trace) => [trace.legendgroup, trace.text?.[0]]));
  for (const trace of chart._fullData) {
    if (!trace.legendgroup || trace.name === "label") continue;
    const counts = new Map([left, right, above, below].map((each) => [each, 0]));
    for (let i = 0; i < trace.x.length; i++) {
      const [x, y] = [trace.x[i], trace.y[i]];
      const where = x < x0 ? left : x > x1 ? right : y > y1 ? above : y < y0 ? below : null;
      if (where) counts.set(where, (counts.get(where) ?? 0) + 1);
    }
    for (const [where, codes] of counts) {
      where.codes += codes;
      if (codes > trace.x.length / 2 && names.get(trace.legendgroup)) where.classes.push(names.get(trace.legendgroup));
    }
  }
  return { left, right, above, below };
}

/** @param {Beyond} beyond */
function said({ codes, classes }) {
  if (!classes.length) return String(codes);
  const named = classes.filter((_, at) => classes.slice(0, at + 1).join(", ").length <= MOST_LETTERS);
  return `${codes}, most of ${[...named, ...(named.length < classes.length ? ["…"] : [])].join(", ")}`;
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
