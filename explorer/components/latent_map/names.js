// @ts-check
// Where the names of classes stand on a map, so that none lies on another.

/** @typedef {{x: number, y: number}} Place in pixels */
/** @typedef {Place & {isFaint: boolean}} Mark which the legend may have greyed out */

const BELOW = 15; // pixels from the middle of a class' mark to the middle of its name
const BESIDE = 10; // pixels from the middle of a mark to the side of its name
const HEIGHT = 18; // pixels of a name
const MARK = 12; // pixels of a mark, along each side

/** The middles of names: each below its mark or, where another name or mark is, above it, right or left of it. Undefined
 * where it would lie on another name at each of these: the legend tells it. Faint ones give way.
 * @param {Mark[]} marks @param {number[]} widths of the names @returns {(Place | undefined)[]} */
export function placeNames(marks, widths) {
  const boxes = marks.map(({ x, y }) => boxAround(x, y, MARK, MARK));
  /** @type {ReturnType<typeof boxAround>[]} */ const taken = [];
  /** @type {(Place | undefined)[]} */ const found = marks.map(() => undefined);
  const order = [...marks.keys()].sort((one, other) => Number(marks[one].isFaint) - Number(marks[other].isFaint));
  for (const at of order) {
    const { x, y } = marks[at];
    const width = widths[at];
    const beside = BESIDE + width / 2;
    const places = [
      { x, y: y + BELOW }, { x, y: y - BELOW }, { x: x + beside, y }, { x: x - beside, y },
    ].map((place) => ({ place, box: boxAround(place.x, place.y, width, HEIGHT) }));
    const free = places.filter(({ box }) => !taken.some((other) => overlap(box, other)));
    const others = boxes.filter((_, of) => of !== at);
    const best = free.find(({ box }) => !others.some((other) => overlap(box, other))) ?? free[0];
    if (best) taken.push(best.box);
    found[at] = best?.place;
  }
  return found;
}

/** @param {number} x @param {number} y @param {number} width @param {number} height */
function boxAround(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}

/** @param {ReturnType<typeof boxAround>} one @param {ReturnType<typeof boxAround>} other */
function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
