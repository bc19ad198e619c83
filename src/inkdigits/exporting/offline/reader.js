// The reader of the page without a server: ONNX Runtime's WebAssembly runs the network here, and nothing is sent.
import { SIZE, normalize } from "./normalize.js";
import * as ort from "./ort.js";

const FAINT = 20, SMALLEST_INK = 5; // as in inkdigits.reader.recognizer

export const features = { read: false, feedback: false };

let opened;
export const open = () =>
  opened ??= load().catch(error => { throw new Error(`The network cannot be loaded: ${error.message}`); });

async function load() {
  const beside = name => new URL(name, import.meta.url).href;
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: { wasm: beside("ort.wasm") } });
  const card = await (await fetch(beside("model.json"))).json();
  return { card, session: await ort.InferenceSession.create(beside("digits.onnx")) };
}

export async function predict(blob) {
  const { card, session } = await open(), image = await createImageBitmap(blob), { width, height } = image;
  const context = canvas(width, height);
  context.drawImage(image, 0, 0);
  const grey = context.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 === 0);
  const { digit, contrast, size } = normalize(grey, width, height);
  const outputs = await session.run({ images: new ort.Tensor("uint8", digit, [1, SIZE, SIZE]) });
  const probabilities = [...outputs.probabilities.data], refusal = outputs.refusal.data[0];
  const ranked = probabilities.map((share, i) => [i, share]).sort((one, other) => other[1] - one[1]);
  const reject = contrast < FAINT ? "blank" : Math.max(...size) < SMALLEST_INK || !digit.some(Boolean) ? "too_small"
    : refused(card.refusal, refusal, ranked[0][1], Math.max(...outputs.logits.data));
  return { digit: reject ? null : ranked[0][0], confidence: ranked[0][1], alternatives: ranked.slice(reject ? 0 : 1), reject, refusal,
    probabilities, picture: encoded(digit) };
}

// Returns why a picture with ink is refused, or null: the policy of inkdigits.reader.refusal, which the card states.
function refused(policy, refusal, confidence, largestLogit) {
  const doubtful = -refusal < policy.threshold; // the output is minus the score of the policy
  if (doubtful && largestLogit < policy.digit_logit) return "not_a_digit";
  return doubtful || confidence < policy.ambiguous_below ? "ambiguous" : null;
}

// Returns a 28x28 picture as a PNG in base64.
function encoded(digit) {
  const context = canvas(SIZE, SIZE), channels = Array.from(digit, value => [value, value, value, 255]).flat();
  context.putImageData(new ImageData(Uint8ClampedArray.from(channels), SIZE), 0, 0);
  return context.canvas.toDataURL().split(",")[1];
}

function canvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
}
