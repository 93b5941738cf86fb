// @ts-check
// Keeps for this tab what the server's session holds and the address does not. A session that has nothing yet is handed
// what an earlier one held: after a reload of the page, after a restart of the server, on another replica of it.

import { lifecycle } from "../lifecycle.js";

/** @typedef {{held: object, session: string, settled: boolean}} Data */
/** @typedef {import("../lifecycle.js").Report} Report */

const PLACE = `latent-held ${location.pathname}`; // apps at other paths share the storage
const CONNECTION = "data-test-connection-state"; // of Streamlit's page

let held = read(); // as JSON; empty: nothing
let owner = ""; // the session that held it; empty: one of the page that was here before

export default lifecycle(() => new Keeper());

class Keeper {
  constructor() {
    this.handed = ""; // what the widget's state is, which Streamlit sends with every run
    /** @type {Report} */ this.setState = () => {};
    // Once the server is gone, the state is set, though it cannot be sent: it then comes with the new session's first run.
    const app = document.querySelector(`[${CONNECTION}]`);
    this.watch = new MutationObserver(() => app?.getAttribute(CONNECTION) !== "CONNECTED" && this.handOver());
    if (app) this.watch.observe(app, { attributeFilter: [CONNECTION] });
  }

  /** @param {Data} data @param {Report} report @param {Report} setState */
  update(data, report, setState) {
    this.setState = setState;
    if (!data.settled && held && owner !== data.session) return this.handOver();
    owner = data.session;
    keep(JSON.stringify(data.held));
  }

  remove() {
    this.watch.disconnect();
  }

  handOver() {
    if (this.handed === held) return;
    this.handed = held;
    this.setState("held", held ? JSON.parse(held) : null);
  }
}

/** @returns {string} */
function read() {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return ""; // forbidden: it is kept until the page is left
  }
}

/** @param {string} text */
function keep(text) {
  if (text === (held || "{}")) return;
  held = text === "{}" ? "" : text;
  try {
    if (held) sessionStorage.setItem(PLACE, held);
    else sessionStorage.removeItem(PLACE);
  } catch {
    // forbidden, or full: see `read`
  }
}
