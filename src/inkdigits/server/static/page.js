// The page: sends what is written or dropped to the reader; its digits can be inspected, corrected and saved.
import { base64, cut, drawBoxes, drawGraph, png } from "./pictures.js";
import * as reader from "./reader.js";
import { openSheet, picture } from "./sheet.js";

const reason = ({ reject }) => reject === "blank" ? "nothing there" : reject?.replaceAll("_", " "); // of crossed_out too
const SURE = 0.99, FAIR = 0.9; // confidence; as in the pictures that inkdigits.reader.annotate draws
const $ = selector => document.querySelector(selector);
const photo = $("#photo"), sheet = openSheet($("#ink"), readSheet);
const cache = new Map(); // results by the strokes of a digit
let lines = [], chosen = null, running = null;

const percent = share => `${Math.min(99.9, 100 * share).toFixed(1)} %`;
const value = ({ digit, truth }) => truth === undefined ? digit : truth; // a truth of null means not a digit
const text = line => line.map(digit => value(digit) ?? "?").join("");
const certainty = digit => digit.truth !== undefined ? "corrected" : reason(digit) ?? percent(digit.confidence);
const describe = digit => (digit.truth === undefined && digit.reject ? "" : `${value(digit) ?? "no digit"}, `) + certainty(digit);
const level = ({ digit, confidence: share, truth }) =>
  truth !== undefined ? "sure" : digit === null || share < FAIR ? "poor" : share < SURE ? "fair" : "sure";
const showError = error => { $("#error").textContent = error.message; };

// Runs a task, which the next task aborts, and shows its error in one line.
async function run(task) {
  running?.abort();
  const { signal } = running = new AbortController();
  $("#error").textContent = "";
  await task(signal).catch(error => signal.aborted || showError(error));
}

function readSheet() {
  photo.hidden = true;
  run(async signal => {
    const digits = await Promise.all(sheet.digits().map(async group => {
      const image = () => picture(group), { key, box } = group;
      if (!cache.has(key)) cache.set(key, { ...await reader.predict(png(image()), signal), image, box });
      return cache.get(key);
    }));
    if (!signal.aborted) show(digits.length ? [digits] : [], [...cache.values()].findLast(digit => digits.includes(digit)));
  });
}

function readPhoto(file) {
  if (!file || !reader.features.read) return;
  sheet.set(() => []);
  URL.revokeObjectURL(photo.src);
  Object.assign(photo, { hidden: false, alt: file.name, src: URL.createObjectURL(file) });
  show([], null, ["Reading …"]);
  run(async signal => {
    const page = await reader.read(file, signal);
    await photo.decode();
    const found = page.lines.map(line => line.digits.filter(digit => digit.reject !== "blank")).filter(line => line.length);
    for (const digit of found.flat()) digit.image = () => cut(photo, digit.box);
    show(found, found[0]?.[0], page.warnings);
  });
}

function show(found, select, warnings = []) {
  lines = found;
  const all = lines.flat(), doubtful = all.filter(digit => level(digit) === "poor").length;
  for (const digit of all) digit.button = make("button", { onfocus: () => choose(digit), onclick: () => choose(digit) });
  $("#number").replaceChildren(...lines.map(line => make("div", {}, ...line.map(digit => digit.button))));
  const number = `${lines.map(text).join(", ")}: ${all.length} digits, ${doubtful || "none"} doubtful`;
  $("#verdict").textContent = [...all.length > 1 ? [number] : all.map(describe), ...warnings].join("; ");
  $("#saving").hidden = !all.length;
  choose(select);
}

function choose(digit) {
  chosen = digit;
  const all = lines.flat();
  for (const each of all) Object.assign(each.button, { textContent: text([each]), title: certainty(each), ariaLabel: describe(each),
    className: each === digit ? `${level(each)} chosen` : level(each), tabIndex: each === digit ? 0 : -1, ariaCurrent: each === digit });
  drawBoxes($("#boxes"), photo.naturalWidth, photo.naturalHeight, photo.hidden ? [] : all);
  $("aside").hidden = !digit;
  if (digit) showDetails(digit);
}

async function showDetails(digit) {
  $("#which").textContent = describe(digit);
  const ranked = new Map([[digit.digit, digit.confidence], ...digit.alternatives]);
  [...$("#bars").children].forEach((bar, i) => {
    const share = digit.probabilities?.[i] ?? ranked.get(i) ?? 0;
    bar.style.setProperty("--share", share);
    bar.lastChild.textContent = share < 0.0005 ? "" : percent(share);
  });
  if (!digit.picture) // a digit on a page, when it is first chosen
    await run(async signal => { digit.picture = (await reader.predict(png(digit.image()), signal)).picture; });
  if (!digit.picture || digit !== chosen) return;
  const [nodes, edges] = await drawGraph(digit.picture, $("#picture"), $("#graph"));
  $("#size").textContent = `How it sees it: ${nodes} pixels of ink, ${edges} edges`;
}

function correct(truth) {
  const digit = Object.assign(chosen, { truth });
  choose(digit);
  $("#verdict").textContent = describe(digit);
  if (reader.features.feedback) reader.feedback({ image: base64(digit.image()), guess: digit.digit, truth })
    .then(() => { $("#verdict").textContent = `${describe(digit)} and stored for training`; }, showError);
}

function make(name, properties, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return Object.assign(made, properties);
}

const rows = () => lines.flatMap((line, i) => line.map(({ digit, confidence, reject, truth, box }, place) =>
  ({ line: i, text: text(line), place, digit, confidence, reject, truth, box: box.map(Math.round) })));
const save = (download, content) => make("a", { download, href: URL.createObjectURL(new Blob([content])) }).click();
$("#json").onclick = () => save("digits.json", JSON.stringify({ source: photo.hidden ? "drawing" : photo.alt, digits: rows() }, null, 2));
$("#csv").onclick = () => save("digits.csv", ["line,text,place,digit,confidence,reject,left,top,width,height,truth",
  ...rows().map(({ truth, ...row }) => [...Object.values(row).flat(), truth === null ? "none" : truth])].join("\n") + "\n");
$("#undo").onclick = () => sheet.set(strokes => strokes.slice(0, -1));
$("#clear").onclick = () => sheet.set(() => []);
for (const input of document.querySelectorAll("input")) input.onchange = () => { readPhoto(input.files[0]); input.value = ""; };
document.ondragover = document.ondrop = event => { event.preventDefault(); readPhoto(event.dataTransfer.files[0]); };
document.onpaste = event => readPhoto(event.clipboardData.files[0]);
document.onkeydown = event => {
  const all = lines.flat(), step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return void (event.key === "z" && $("#undo").click());
  if (!$("#number").contains(event.target)) return;
  if (step) all[all.indexOf(chosen) + step]?.button.focus();
  else if (/^[0-9x]$/.test(event.key)) correct(event.key === "x" ? null : Number(event.key));
};
$("#bars").append(...Array.from({ length: 10 }, (_, i) =>
  make("button", { onclick: () => correct(i) }, make("b", { textContent: i }), make("i"), make("span"))));
await reader.open().catch(showError);
document.body.className = reader.features.read ? "online" : "offline";
