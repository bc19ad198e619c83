// The reader of the page: the server. `inkdigits export --format web` replaces this file by a reader in the browser.

export const features = { read: true, feedback: false };

export const open = async () => { features.feedback = (await ask("v1/models")).feedback === true; };
export const predict = (blob, signal) => ask("v1/predict", { method: "POST", body: blob, signal });
export const read = async (blob, signal) => (await ask("v1/read", { method: "POST", body: blob, signal })).pages[0];
export const feedback = correction => ask("v1/feedback",
  { method: "POST", body: JSON.stringify(correction), headers: { "Content-Type": "application/json" } });

async function ask(path, options) {
  const response = await fetch(path, options).catch(error => {
    throw error.name === "AbortError" ? error : new Error("The server does not answer; is inkdigits serve running?");
  });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Error([answer?.title ?? `The server answered ${response.status}`, answer?.detail].filter(Boolean).join(": "));
}
