// Pictures of digits: cuts them out of a page, marks them on it, and draws their pixels and the graph of their ink.

const INK = 0.1 * 255; // a brighter pixel is a node of the graph, as in inkdigits.data.pixel_graph
const SIDE = 96; // longer side of a digit that is cut out of a page, pixels

export const base64 = canvas => canvas.toDataURL().split(",")[1];
export const png = canvas => // not by toBlob, which waits until the browser is idle
  new Blob([Uint8Array.from(atob(base64(canvas)), character => character.charCodeAt(0))], { type: "image/png" });

export function cut(image, [x, y, width, height]) {
  const margin = 0.1 * Math.max(width, height), wide = width + 2 * margin, tall = height + 2 * margin;
  const scale = SIDE / Math.max(wide, tall);
  const canvas = Object.assign(document.createElement("canvas"), { width: wide * scale, height: tall * scale });
  canvas.getContext("2d").drawImage(image, x - margin, y - margin, wide, tall, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// Draws a 28x28 picture and the graph of its ink, whose edges join neighbouring pixels; returns how many nodes and edges.
export async function drawGraph(picture, canvas, graph) {
  const image = Object.assign(new Image(), { src: `data:image/png;base64,${picture}` });
  await image.decode();
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, 28, 28), light = (x, y) => x < 0 || x > 27 ? 0 : data[4 * (28 * y + x)];
  const nodes = Array.from({ length: 784 }, (_, i) => [i % 28, Math.floor(i / 28)]).filter(([x, y]) => light(x, y) > INK);
  const edges = nodes.flatMap(([x, y]) => [[1, 0], [-1, 1], [0, 1], [1, 1]]
    .filter(([dx, dy]) => light(x + dx, y + dy) > INK).map(([dx, dy]) => `M${x} ${y}l${dx} ${dy}`));
  const [left, top, right, bottom] = [Math.min, Math.max].flatMap(end => [0, 1].map(axis => end(...nodes.map(node => node[axis]))));
  if (nodes.length) graph.setAttribute("viewBox", [left - 1, top - 1, right - left + 2, bottom - top + 2].join(" "));
  graph.replaceChildren(element("path", { d: edges.join("") }),
    ...nodes.map(([cx, cy]) => element("circle", { cx, cy, r: 0.12 + 0.2 * light(cx, cy) / 255 })));
  return [nodes.length, edges.length];
}

// Marks digits on a page of this size. A box shows the text of its digit's button, and a click focuses the button.
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
