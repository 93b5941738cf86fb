// @ts-check
// The symbols of the classes, as polygons: Plotly's own of these names are on the maps, these in the legend and the film.

/** Corners, from the middle, rightwards and down; a circle of radius 1 has none. @type {Record<string, number[][]>} */
const CORNERS = {
  circle: [],
  square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
  diamond: [[0, -1], [1, 0], [0, 1], [-1, 0]],
  "triangle-up": [[0, -1], [1, 0.9], [-1, 0.9]],
  cross: [
    [-0.4, -1], [0.4, -1], [0.4, -0.4], [1, -0.4], [1, 0.4], [0.4, 0.4],
    [0.4, 1], [-0.4, 1], [-0.4, 0.4], [-1, 0.4], [-1, -0.4], [-0.4, -0.4],
  ],
  x: [
    [0, -0.45], [0.55, -1], [1, -0.55], [0.45, 0], [1, 0.55], [0.55, 1],
    [0, 0.45], [-0.55, 1], [-1, 0.55], [-0.45, 0], [-1, -0.55], [-0.55, -1],
  ],
  hourglass: [[-1, -1], [1, -1], [-1, 1], [1, 1]],
};

/** @param {string} symbol */
export function cornersOf(symbol) {
  return CORNERS[symbol] ?? CORNERS.circle;
}

/** As a value of CSS. @param {string} symbol */
export function clipPathOf(symbol) {
  const corners = cornersOf(symbol).map((corner) => corner.map((each) => `${50 + 50 * each}%`).join(" "));
  return corners.length ? `polygon(${corners.join(", ")})` : "circle(50%)";
}

/** Fill one. @param {CanvasRenderingContext2D} context @param {string} symbol @param {number} x @param {number} y @param {number} radius */
export function fillSymbol(context, symbol, x, y, radius) {
  const corners = cornersOf(symbol);
  context.beginPath();
  if (!corners.length) context.arc(x, y, radius, 0, 2 * Math.PI);
  for (const [right, down] of corners) context.lineTo(x + radius * right, y + radius * down);
  context.closePath();
  context.fill();
}
