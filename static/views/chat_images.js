// Pictures that a user shows to a model: made small enough for it, and without what a camera wrote about
// the place.

/** Models look at fewer points than a camera takes. */
const MOST_PIXELS_WIDE = 1_280;
const QUALITY = 0.88;

/**
 * @param {Blob} file
 * @returns {Promise<string>} A data: URL; throws where it is no picture that the browser can read.
 */
export async function pictureOf(file) {
  const picture = await createImageBitmap(file);
  try {
    const scale = Math.min(1, MOST_PIXELS_WIDE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    // JPEG has no transparency: without a ground it would be black.
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/jpeg", QUALITY);
  } finally {
    picture.close();
  }
}

/**
 * The pictures among what was pasted or dropped.
 *
 * @param {DataTransfer | null} data
 * @returns {File[]}
 */
export function picturesIn(data) {
  return [...data?.files ?? []].filter(({ type }) => type.startsWith("image/"));
}
