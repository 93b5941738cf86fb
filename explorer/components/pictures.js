// @ts-check
// Pictures that the server sends by address.

const ATTEMPTS = 5; // a picture is gone for a moment where a run of the app was cut short by the next one
const WAIT = 500; // milliseconds, and as many more each time

/** Load a picture. @param {string} address a data URI, or below that of the page @returns {Promise<HTMLImageElement>} */
export async function loadPicture(address) {
  for (let attempt = 1; ; attempt++) {
    const image = new Image();
    image.src = address.startsWith("data:") ? address : new URL(`.${address}`, document.baseURI).href;
    try {
      await image.decode();
      return image;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * WAIT));
    }
  }
}
