// @ts-check
// Draws marks over a chart.

import { toPixel } from "./plotly.js";

/** @typedef {"pick" | "ring" | "outline" | "dots" | "path" | "moment" | "cursor"} Kind */
/** @typedef {{kind: Kind, points: number[][], at?: number | null, colour?: string}} Mark */

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name @param {Record<string, string | number>} attributes */
export function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {{xaxis: any, yaxis: any}} panel @param {Mark[]} marks */
export function drawMarks({ xaxis, yaxis }, marks) {
  const view = element("svg", { x: xaxis._offset, y: yaxis._offset, width: xaxis._length, height: yaxis._length });
  for (const mark of marks) {
    const pixels = mark.points.map(([x, y]) => [toPixel(xaxis, x), yaxis._length - toPixel(yaxis, y)]);
    // Each shape twice, light below and dark above: it stands out on codes, decodes and both themes.
    for (const [colour, extra] of /** @type {[string, number][]} */ ([["white", 3], [mark.colour || "black", 0]])) {
      view.append(...shapes(mark, pixels, yaxis._length, colour, extra));
    }
  }
  return view;
}

/** @param {Mark} mark @param {number[][]} pixels @param {number} height @param {string} colour @param {number} extra */
function shapes(mark, pixels, height, colour, extra) {
  const stroke = { fill: "none", stroke: colour, "stroke-width": 2.5 + extra, "stroke-linecap": "round" };
  const [x, y] = pixels[0];
  switch (mark.kind) {
    case "pick":
      return [element("path", { ...stroke, class: "pick", d: `M${x - 12} ${y}h8m8 0h8M${x} ${y - 12}v8m0 8v8` })];
    case "cursor":
      return [element("path", { ...stroke, class: "cursor", d: `M${x - 8} ${y - 8}h16v16h-16z` })];
    case "ring":
      return [element("circle", { ...stroke, class: "ring", cx: x, cy: y, r: 9 })];
    case "outline":
      return [element("polygon", { ...stroke, "stroke-width": 1.5 + extra, class: "outline", points: pixels.join(" ") })];
    case "dots":
      return pixels.map(([cx, cy]) => element("circle", { class: "dot", cx, cy, r: 4 + extra / 2, fill: colour }));
    case "moment":
      return [element("path", { ...stroke, class: "moment", d: `M${x} 0V${height}` })];
    case "path": {
      // The dot: the marked point, else where the way begins.
      const [cx, cy] = pixels[mark.at ?? 0];
      return [
        element("polyline", { ...stroke, class: "path", points: pixels.join(" ") }),
        element("circle", { ...stroke, class: "at", cx, cy, r: 7, fill: colour === "black" ? "white" : "none" }),
      ];
    }
  }
}
