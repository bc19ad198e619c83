// Pictures of digits: cut out of a page, marked on it, shown as pixels and as the graph of their ink.

const INKED = 0.1 * 255; // as in inkdigits.data.pixel_graph: a pixel brighter than this is a node
const SIDE = 96; // longer side of a digit cut out of a page, pixels

export const base64 = canvas => canvas.toDataURL().split(",")[1];
export const png = canvas => // at once; toBlob waits until the browser is idle
  new Blob([Uint8Array.from(atob(base64(canvas)), character => character.charCodeAt(0))], { type: "image/png" });

export function cut(image, [x, y, width, height]) {
  const rim = 0.1 * Math.max(width, height), wide = width + 2 * rim, tall = height + 2 * rim;
  const scale = SIDE / Math.max(wide, tall);
  const canvas = Object.assign(document.createElement("canvas"), { width: wide * scale, height: tall * scale });
  canvas.getContext("2d").drawImage(image, x - rim, y - rim, wide, tall, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// Shows a picture of 28x28, and its graph: each pixel of ink is joined to the ink among its eight neighbours.
export async function drawNetwork(picture, canvas, graph) {
  const image = Object.assign(new Image(), { src: `data:image/png;base64,${picture}` });
  await image.decode();
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, 28, 28), light = (x, y) => x < 0 || x > 27 ? 0 : data[4 * (28 * y + x)];
  const nodes = Array.from({ length: 784 }, (_, i) => [i % 28, Math.floor(i / 28)]).filter(([x, y]) => light(x, y) > INKED);
  const edges = nodes.flatMap(([x, y]) => [[1, 0], [-1, 1], [0, 1], [1, 1]]
    .filter(([dx, dy]) => light(x + dx, y + dy) > INKED).map(([dx, dy]) => `M${x} ${y}l${dx} ${dy}`));
  const [left, top, right, bottom] = [Math.min, Math.max].flatMap(end => [0, 1].map(axis => end(...nodes.map(node => node[axis]))));
  if (nodes.length) graph.setAttribute("viewBox", [left - 1, top - 1, right - left + 2, bottom - top + 2].join(" "));
  graph.replaceChildren(element("path", { d: edges.join("") }),
    ...nodes.map(([cx, cy]) => element("circle", { cx, cy, r: 0.12 + 0.2 * light(cx, cy) / 255 })));
  return [nodes.length, edges.length];
}

// Marks the digits on a page of some width and height; a box says and does what its digit's button does.
export function drawBoxes(svg, width, height, digits) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...digits.map(({ box: [x, y, wide, tall], button }) => {
    const mark = element("g", { class: button.className }), size = Math.max(tall / 2, width / 60);
    mark.onclick = () => button.focus();
    mark.append(element("rect", { x, y, width: wide, height: tall, rx: tall / 12 }), element("title", {}, button.ariaLabel),
      element("text", { x, y: y - tall / 12, "font-size": size }, button.textContent),
      element("text", { x, y: y + tall + size / 2, "font-size": 0.4 * size }, 25 * tall > width ? button.title : ""));
    return mark;
  }));
}

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
