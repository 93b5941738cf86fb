// @ts-check
// On a narrow screen the tools are a row that scrolls: the open one is brought into its middle. A tool, and each part of
// it, is shown from its beginning.

import { lifecycle } from "../lifecycle.js";

export default lifecycle(() => new ToolBar());

class ToolBar {
  constructor() {
    this.tool = "";
    this.shown = ""; // nothing yet: a page that is opened stays where the browser has it
    this.late = new MutationObserver(() => this.scroll()); // the row's script may come after this one
  }

  /** @param {{tool: string, part: string}} data */
  update({ tool, part }) {
    const shown = `${tool} ${part}`;
    if (this.shown && this.shown !== shown) {
      for (const scrolled of document.querySelectorAll(".stMain, .st-key-viewer")) scrolled.scrollTo(0, 0);
    }
    this.shown = shown;
    this.tool = tool;
    this.late.observe(document.body, { childList: true, subtree: true });
    this.scroll();
  }

  remove() {
    this.late.disconnect();
  }

  scroll() {
    const radios = [...document.querySelectorAll('.st-key-tab [role="radio"]')];
    const open = radios.find((radio) => radio.textContent?.trim() === this.tool);
    const row = open?.closest('[role="radiogroup"]');
    if (!open || !row) return;
    this.late.disconnect();
    const [{ left, width }, box] = [open.getBoundingClientRect(), row.getBoundingClientRect()];
    row.scrollLeft += left + width / 2 - (box.left + box.width / 2);
  }
}
