// Makes the 28x28 picture that the network sees from a small grey picture of one digit. For pictures under 48 pixels
// the result is that of inkdigits.imaging.normalize with all ink (whole=True), bit for bit, as numbers are rounded
// like those of NumPy and OpenCV.

export const SIZE = 28; // side of the result
const BOX = 20; // longer side of the digit in it

// From grey bytes (height x width), returns the digit (784 bytes), its contrast to the paper, and the size of its ink.
export function normalize(grey, width, height) {
  const { ink, contrast } = inkOf(grey, width, height), digit = new Uint8Array(SIZE * SIZE);
  if (!contrast) return { digit, contrast, size: [0, 0] };
  const [left, top, wide, tall] = bounds(ink, width), size = [wide, tall];
  if (Math.max(...size) < BOX) return { digit, contrast, size }; // it would have to be enlarged, which this port does not do
  const cut = new Uint8Array(wide * tall).map((_, i) => ink[(top + Math.floor(i / wide)) * width + left + i % wide]);
  const scale = BOX / Math.max(...size), small = size.map(side => Math.max(1, even(side * scale)));
  return { digit: centred(shrunk(cut, ...size, ...small), ...small), contrast, size };
}

// Returns the ink as bytes, 0 on paper and 255 at the strongest, and its contrast to the paper: the median of the rim.
function inkOf(grey, width, height) {
  const at = (x, y) => grey[y * width + x];
  const rim = [...range(width).flatMap(x => [at(x, 0), at(x, height - 1)]),
    ...range(height).flatMap(y => [at(0, y), at(width - 1, y)])].sort((one, other) => one - other);
  const paper = (rim[rim.length / 2 - 1] + rim[rim.length / 2]) / 2, [low, high] = ends(grey);
  const lighter = high - paper >= paper - low, contrast = lighter ? high - paper : paper - low;
  const gain = Math.fround(255 / contrast), difference = value => Math.max(0, lighter ? value - paper : paper - value);
  return { ink: Uint8Array.from(grey, value => even(Math.fround(difference(value) * gain))), contrast };
}

// Returns left, top, width and height of the ink above a threshold.
function bounds(ink, width) {
  const threshold = Math.min(otsu(ink), 64), xs = [], ys = [];
  ink.forEach((value, i) => { if (value > threshold) { xs.push(i % width); ys.push(Math.floor(i / width)); } });
  const [left, right] = ends(xs), [top, bottom] = ends(ys);
  return [left, top, right - left + 1, bottom - top + 1];
}

const range = count => Array.from({ length: count }, (_, i) => i);
const ends = values => values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, 0]);

// Rounds to the nearest whole number, halves to the even one.
function even(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + floor % 2 : Math.round(value);
}

// The threshold that separates bytes best into two classes (Otsu, 1979).
function otsu(bytes) {
  const share = new Float64Array(256);
  for (const value of bytes) share[value] += 1 / bytes.length;
  const mean = share.reduce((sum, part, i) => sum + part * i, 0);
  let below = 0, sum = 0, best = 0, threshold = 0;
  for (let i = 0; i < 256; i++) {
    below += share[i];
    sum += share[i] * i;
    if (Math.min(below, 1 - below) < 1.2e-7) continue;
    const spread = below * (1 - below) * (sum / below - (mean - sum) / (1 - below)) ** 2;
    if (spread > best) [best, threshold] = [spread, i];
  }
  return threshold;
}

// Shrinks a picture: each new pixel is the mean of the area that it covers, as with OpenCV's INTER_AREA.
function shrunk(bytes, width, height, newWidth, newHeight) {
  const out = new Uint8Array(newWidth * newHeight), across = cells(width, newWidth), down = cells(height, newHeight);
  const exact = width === 2 * newWidth && height === 2 * newHeight; // OpenCV then adds whole numbers
  down.forEach((rows, y) => across.forEach((parts, x) => {
    let total = 0;
    for (const [row, weight] of rows) {
      let line = 0;
      for (const [column, part] of parts) line = Math.fround(line + Math.fround(bytes[row * width + column] * part));
      total = Math.fround(total + Math.fround(weight * line));
    }
    out[y * newWidth + x] = exact ? Math.floor(total + 0.5) : even(total);
  }));
  return out;
}

// Returns, for each of `fewer` new pixels, which pixels of a side of this length it covers, each with its weight.
function cells(side, fewer) {
  const scale = side / fewer;
  return range(fewer).map(i => {
    const from = i * scale, to = from + scale, whole = Math.min(scale, side - from), parts = [];
    const last = Math.min(Math.floor(to), side - 1), first = Math.min(Math.ceil(from), last);
    if (first - from > 1e-3) parts.push([first - 1, (first - from) / whole]);
    for (let at = first; at < last; at++) parts.push([at, 1 / whole]);
    if (to - last > 1e-3) parts.push([last, Math.min(to - last, 1, whole) / whole]);
    return parts.map(([at, weight]) => [at, Math.fround(weight)]);
  });
}

// Places a digit on black with its centre of mass in the middle.
function centred(bytes, width, height) {
  let total = 0, x = 0, y = 0;
  bytes.forEach((value, i) => { total += value; x += value * (i % width); y += value * Math.floor(i / width); });
  const place = (centre, side) => Math.min(SIZE - side, Math.max(0, even(SIZE / 2 - centre / total)));
  const left = place(x, width), top = place(y, height), out = new Uint8Array(SIZE * SIZE);
  for (let row = 0; row < height; row++) out.set(bytes.subarray(row * width, (row + 1) * width), (top + row) * SIZE + left);
  return out;
}
