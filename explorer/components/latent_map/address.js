// @ts-check
// The page's address: each act of the user is one entry of the browser's history, and the maps' zoom stands in it, as do
// the classes that the legend greys out.

import { axesOf, reset, zoomTo } from "./plotly.js";

const ZOOM_PREFIX = "zoom_"; // see `stage.py`
const GREYED = "grey"; // see `legend.js`
const TOOL = "tab"; // see `selection.py`
const POINTS = ["ae_x", "ae_y", "vae_x", "vae_y", "digit"]; // picks and the ringed image; likewise
const FARTHEST = 1e6; // as `selection.MAX_COORDINATE`
const ACTS = ["pointerdown", "keydown", "drop", "paste"];

/** Streamlit adds an entry for each parameter that the server changes: three for a click, two of them of points that nobody
 * picked. Here the first one after an act of the user is added, and takes in those that follow. What a widget changes adds
 * none, but for another tool: Back leads to the one before, with the last pick there. */
export function keepOneEntryAnAct() {
  const page = /** @type {any} */ (globalThis);
  if (page.latentHistory) return; // once a page
  page.latentHistory = true;
  let hasActed = false;
  for (const act of ACTS) addEventListener(act, () => (hasActed = true), { capture: true, passive: true });
  // Back has keys and buttons of its own: what follows it is no new act.
  addEventListener("popstate", () => (hasActed = false), { capture: true });
  const [push, replace] = [history.pushState.bind(history), history.replaceState.bind(history)];
  history.pushState = (state, unused, address) => {
    const next = withOwn(address);
    if (onlyForgetsPoints(next)) return replace(state, unused, next);
    if (hasActed) push(state, unused, next);
    else replace(state, unused, next);
    hasActed = false;
  };
  history.replaceState = (state, unused, address) => {
    if (hasActed && toolIn(address) !== toolIn("")) history.pushState(state, unused, address);
    else replace(state, unused, address);
  };
}

/** Whether an address is that of now without points: of a run in which their widgets were not drawn, and no act.
 * @param {URL} next */
function onlyForgetsPoints(next) {
  const now = new URLSearchParams(location.search);
  const gone = [...now.keys()].filter((name) => !next.searchParams.has(name));
  const stays = [...next.searchParams].every(([name, value]) => now.get(name) === value);
  return stays && gone.length > 0 && gone.every((name) => POINTS.includes(name));
}

/** @param {string | URL | null | undefined} address */
function toolIn(address) {
  return new URL(address || location.href, location.href).searchParams.get(TOOL);
}

/** A widget writes to the address while Streamlit's page knows it as bound. Where it moves to another place, as from a tool
 * to the next, it is bound there before its old place is cleared away, which unbinds it (`unregisterQueryParamBinding`,
 * https://github.com/streamlit/streamlit/pull/13682): its last place must be gone for that. Where Streamlit looks otherwise
 * inside, nothing is changed. */
export function keepBindings() {
  const widgets = widgetManager();
  if (!widgets || widgets.latentPlaces) return; // once a page
  /** @type {Map<string, number>} */ const places = new Map([...widgets.boundWidgets.keys()].map((id) => [id, 1]));
  widgets.latentPlaces = places;
  const [bind, unbind] = [widgets.registerQueryParamBinding, widgets.unregisterQueryParamBinding];
  widgets.registerQueryParamBinding = (/** @type {string} */ id, /** @type {unknown[]} */ ...others) => {
    places.set(id, (places.get(id) ?? 0) + 1);
    bind.call(widgets, id, ...others);
  };
  widgets.unregisterQueryParamBinding = (/** @type {string} */ id) => {
    places.set(id, (places.get(id) ?? 1) - 1);
    if (!places.get(id)) unbind.call(widgets, id);
  };
}

/** Streamlit's own, which no page is handed: the app's root component has it. @returns {any} */
function widgetManager() {
  const root = document.querySelector("#root");
  const key = Object.keys(root ?? {}).find((name) => name.startsWith("__reactContainer$"));
  const waiting = key ? [/** @type {any} */ (root)[key]] : [];
  for (const fiber of waiting) {
    const found = fiber.stateNode?.widgetMgr;
    if (found) return found.boundWidgets instanceof Map ? found : null;
    waiting.push(...[fiber.child, fiber.sibling].filter(Boolean));
  }
  return null;
}

/** The address, with what the page alone knows of: the zoom, and what is greyed out. @param {string | URL | null | undefined} address */
function withOwn(address) {
  const next = new URL(address ?? "", location.href);
  const isOwn = (/** @type {string} */ name) => name.startsWith(ZOOM_PREFIX) || name === GREYED;
  // The server may send what the address held when the session began.
  for (const name of [...next.searchParams.keys()].filter(isOwn)) next.searchParams.delete(name);
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (isOwn(name)) next.searchParams.set(name, value);
  }
  return next;
}

/** Show a map as the address says; whole if it says nothing, or what cannot be shown, which is taken away.
 * @param {any} chart @param {string} name of the parameter */
export function zoomAsInAddress(chart, name) {
  if (chart.latentLive) return; // it shows a fit: see `live.js`
  const ranges = rangesIn(name);
  if (ranges) zoomTo(chart, ranges);
  else if (isWhole(chart)) writeZoom(chart, name);
  else reset(chart);
}

/** What the address says of both axes; null: nothing that could be shown.
 * @param {string} name of the parameter @returns {number[][] | null} */
function rangesIn(name) {
  const [x, y, width, ...others] = (new URLSearchParams(location.search).get(name) ?? "").split("~").map(Number.parseFloat);
  if (!(Math.max(Math.abs(x), Math.abs(y), width) <= FARTHEST && width >= 1 / FARTHEST) || others.length) return null;
  return [x, y].map((middle) => [middle - width / 2, middle + width / 2]);
}

/** Write a map's zoom to the address: its middle, and how wide it is; nothing of a map as it was at first.
 * @param {any} chart @param {string} name of the parameter */
export function writeZoom(chart, name) {
  if (chart.latentLive) return;
  const { xaxis, yaxis } = axesOf(chart);
  const width = xaxis.range[1] - xaxis.range[0];
  const decimals = Math.max(0, 3 - Math.floor(Math.log10(width))); // a thousandth of the map
  const middle = (/** @type {number[]} */ [from, to]) => (from + to) / 2;
  const zoom = [middle(xaxis.range), middle(yaxis.range), width].map((each) => Number(each.toFixed(decimals))).join("~");
  const address = new URL(location.href);
  if (isWhole(chart)) address.searchParams.delete(name);
  else if (width >= 1 / FARTHEST) address.searchParams.set(name, zoom);
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

/** Whether a map shows what it showed at first, to a pixel. @param {any} chart */
function isWhole(chart) {
  const { xaxis, yaxis } = axesOf(chart);
  return [xaxis, yaxis].every(
    ({ range, _rangeInitial0: from, _rangeInitial1: to, _length: length }) =>
      Math.max(Math.abs(range[0] - from), Math.abs(range[1] - to)) * length < Math.abs(to - from),
  );
}
