// @ts-check
// How every component comes and goes.

/** What Streamlit hands to a component: at the mount, and again whenever its data or the theme change.
 * @template Data
 * @typedef {{data: Data, parentElement: HTMLElement, setTriggerValue: Report, setStateValue: Report}} Component */

/** Tells the server that something happened, or how something is. @typedef {(name: string, value: unknown) => void} Report */

/** What stands in a place of the page.
 * @template Data
 * @typedef {{update: (data: Data, report: Report, setState: Report) => void, remove: () => void}} Part */

/** Keep one part for each place. Streamlit calls what is given here at the mount and at each change; the cleanup of the
 * last call runs at the unmount, that of an earlier one when it was overtaken, and then removes nothing.
 * @template Data
 * @param {(place: HTMLElement, data: Data) => Part<Data>} make
 * @returns {(component: Component<Data>) => () => void} */
export function lifecycle(make) {
  /** @type {WeakMap<HTMLElement, {part: Part<Data>}>} */
  const latest = new WeakMap();
  return ({ data, parentElement, setTriggerValue, setStateValue }) => {
    const call = { part: latest.get(parentElement)?.part ?? make(parentElement, data) };
    latest.set(parentElement, call);
    call.part.update({ ...data }, setTriggerValue, setStateValue);
    return () => {
      if (latest.get(parentElement) !== call) return;
      latest.delete(parentElement);
      call.part.remove();
    };
  };
}
