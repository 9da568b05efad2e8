/** Photos of 16 bits, of which browsers keep the upper 8: those that have nothing there are refused by name. */

const PNG = 0x89504e47; // its first bytes
const DEPTH = 24; // where a PNG says how many bits its samples have
const ROWS = 256; // looked at in one go
const UNUSED = 4; // brighter than a quarter of white nothing is: `fgcompile explain` refuses the same

/** Throws an Error where a file has more bits than a browser keeps, and its picture may be in those that are lost. */
export async function requireBits(file, photo) {
  const head = new DataView(await file.slice(0, DEPTH + 1).arrayBuffer());
  const deep = head.byteLength > DEPTH && head.getUint32(0) === PNG && head.getUint8(DEPTH) === 16;
  if (deep && UNUSED * brightest(photo) < 255) {
    throw new Error(
      `${file.name} has 16 bits per channel and leaves the upper ones unused, and browsers read no others: use ` +
        "`fgcompile explain`, which takes --window LOW,HIGH, or convert it to 8 bits",
    );
  }
}

/** The largest of a picture's samples, 0 to 255. */
function brightest(photo) {
  const canvas = Object.assign(document.createElement("canvas"), { width: photo.width, height: ROWS });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let most = 0;
  for (let top = 0; top < photo.height; top += ROWS) {
    context.clearRect(0, 0, photo.width, ROWS);
    context.drawImage(photo, 0, -top);
    context.getImageData(0, 0, photo.width, ROWS).data.forEach((value, place) => {
      if (place % 4 < 3 && value > most) most = value;
    });
  }
  return most;
}
