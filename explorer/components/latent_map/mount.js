// @ts-check
// What travels with every answer, and so is short. It waits for the overlay's script, which is sent once.

/** @param {object} component */
export default async function (component) {
  const page = /** @type {any} */ (globalThis);
  const script = (page.latentOverlay ??= Promise.withResolvers());
  return (await script.promise)(component);
}
