// @ts-check
// The maps' dots are drawn with WebGL, of which a browser has but a few contexts: they are given back, and done without.

import { restyleWithin } from "./plotly.js";

const OWN = ".gl-canvas:not(.gl-canvas-pick)"; // Plotly asks for no context on the other
let isTold = false;

/** Give back the contexts of canvases that a chart no longer has: Plotly leaves that to the garbage collector. */
export function giveBackContexts() {
  const changes = new MutationObserver((found) => {
    const removed = found.flatMap(({ removedNodes }) => [...removedNodes]).filter((node) => node instanceof Element);
    const canvases = removed.flatMap((each) => (each.matches(OWN) ? [each] : [...each.querySelectorAll(OWN)]));
    for (const canvas of /** @type {HTMLCanvasElement[]} */ (canvases)) {
      if (!canvas.isConnected) canvas.getContext("webgl")?.getExtension("WEBGL_lose_context")?.loseContext();
    }
  });
  changes.observe(document.body, { childList: true, subtree: true });
}

/** Whether a chart's dots need WebGL that is not there, or no longer. @param {any} chart */
export function lacksWebGl(chart) {
  if (!chart.data.some((/** @type {any} */ trace) => trace.type === "scattergl")) return false;
  if (chart.querySelector(".no-webgl")) return true;
  return [...chart.querySelectorAll(OWN)].some((canvas) => canvas.getContext("webgl")?.isContextLost() ?? true);
}

/** Draw a chart's dots without WebGL, where the browser has none, or has run out of it. @param {any} chart */
export function drawWithoutWebGl(chart) {
  const traces = chart.data.flatMap((/** @type {any} */ trace, /** @type {number} */ at) => (trace.type === "scattergl" ? [at] : []));
  if (!traces.length || !chart._fullLayout.updatemenus?.length) return;
  if (!isTold) console.warn("This browser has no WebGL, or no more of it: the maps are drawn without it, which is slower.");
  isTold = true;
  restyleWithin(chart, { type: ["scatter"] }, traces);
}
