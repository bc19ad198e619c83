// A sheet to write on with a finger, a pen, the mouse or the arrow keys. It keeps the strokes and groups them into digits.

const LINE = 9; // width of a stroke on the sheet, pixels
const SIDE = 46, INK = 40, PEN = 4.6; // picture of a digit: its side, the longer side of the ink, the width of a stroke
const LEAST = 8; // pixels on the sheet; smaller ink is not enlarged to INK, so it stays small in the picture
const SHARED = 0.4; // two strokes belong to one digit if they share more than this part of the narrower one's width
const STEPS = { ArrowLeft: [-7, 0], ArrowRight: [7, 0], ArrowUp: [0, -7], ArrowDown: [0, 7], " ": [0, 0] };

export function openSheet(canvas, changed) {
  const context = canvas.getContext("2d");
  let strokes = [], count = 0;
  let stroke = null, pointer = null, pen = null; // current stroke, id of its pointer, position of the arrow keys' pen

  const at = ({ clientX, clientY }, frame = canvas.getBoundingClientRect()) => [clientX - frame.left, clientY - frame.top];
  const draw = () => {
    [canvas.width, canvas.height] = [canvas.clientWidth, canvas.clientHeight].map(side => Math.round(side * devicePixelRatio));
    context.scale(devicePixelRatio, devicePixelRatio);
    write(context, strokes, LINE, getComputedStyle(canvas).color);
    if (pen) write(context, [{ points: [pen] }], 2 * LINE, stroke ? "#e33b" : "#8889");
  };
  const begin = point => strokes.push(stroke = { id: count++, points: [point] });
  const end = () => {
    const ended = stroke;
    stroke = pointer = null;
    if (ended) changed();
  };
  const listen = (name, handler) => canvas.addEventListener(name, event => { handler(event); draw(); });

  listen("pointerdown", event => {
    if (stroke || event.button) return;
    canvas.setPointerCapture(pointer = event.pointerId);
    pen = null;
    begin(at(event));
  });
  listen("pointermove", event => {
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    stroke.points.push(...(between.length ? between : [event]).map(each => at(each)));
  });
  listen("lostpointercapture", event => event.pointerId === pointer && end());
  listen("blur", () => { pen = null; end(); });
  listen("keydown", event => {
    const step = STEPS[event.key], size = [canvas.clientWidth, canvas.clientHeight];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    pen = (pen ?? [size[0] / 2, size[1] / 4]).map((place, axis) => Math.min(size[axis], Math.max(0, place + step[axis])));
    if (event.key === " ") return stroke ? end() : begin(pen);
    stroke?.points.push(pen);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(draw).observe(canvas);
  return { set: change => { strokes = change(strokes); draw(); changed(); }, digits: () => digits(strokes) };
}

// Groups strokes into digits, from left to right: strokes above each other belong to one digit.
function digits(strokes) {
  let groups = [];
  for (const stroke of strokes) {
    const near = groups.filter(group => together(bounds(group), bounds([stroke])));
    groups = [...groups.filter(group => !near.includes(group)), [...near.flat(), stroke]];
  }
  return groups.map(group => ({ strokes: group, key: group.map(stroke => stroke.id).join(), box: bounds(group) }))
    .sort((one, other) => one.box[0] - other.box[0]);
}

const together = ([x, , width], [left, , wide]) =>
  Math.min(x + width, left + wide) - Math.max(x, left) > SHARED * Math.min(width, wide);

function bounds(strokes) {
  const points = strokes.flatMap(stroke => stroke.points), axes = [0, 1].map(axis => points.map(point => point[axis]));
  const low = axes.map(values => Math.min(...values) - LINE / 2), high = axes.map(values => Math.max(...values) + LINE / 2);
  return [...low, high[0] - low[0], high[1] - low[1]];
}

function write(context, strokes, width, colour) {
  Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round", strokeStyle: colour });
  for (const { points } of strokes) {
    context.beginPath();
    context.moveTo(points[0][0] - 0.01, points[0][1]); // not quite the same point, so that a dot is visible
    points.forEach((point, i) => {
      const middle = point.map((place, axis) => (place + (points[i + 1] ?? point)[axis]) / 2);
      context.quadraticCurveTo(...point, ...middle);
    });
    context.stroke();
  }
}

// Draws the small picture of a digit, black on white. Its strokes are as wide as MNIST's at every size of writing.
export function picture({ strokes, box: [x, y, width, height] }) {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d"), scale = (INK - PEN) / Math.max(width - LINE, height - LINE, LEAST);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  context.setTransform(scale, 0, 0, scale, SIDE / 2 - scale * (x + width / 2), SIDE / 2 - scale * (y + height / 2));
  write(context, strokes, PEN / scale, "#000");
  return canvas;
}
