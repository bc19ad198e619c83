"""A run as a folder in Hugging Face's form: model.safetensors, config.json, a model card filled from its figures."""

import json
from pathlib import Path

from inkdigits.data import Dataset
from inkdigits.errors import RunError
from inkdigits.evaluation.calibration import TARGET, calibration
from inkdigits.evaluation.metrics import count_macs, count_parameters
from inkdigits.evaluation.statistics import wilson
from inkdigits.exporting.deployed import calibrate
from inkdigits.files import read_json, write_bytes, write_json, write_text
from inkdigits.models import model_spec
from inkdigits.training import Run, validation_digits
from inkdigits.training.inference import logits_of

CONFIG, CARD = "config.json", "README.md"


def write_folder(run: Run, data: Dataset, out: Path, robustness: Path | None = None) -> list[Path]:
    """Write a run's folder for a model hub; return the paths.

    Parameters
    ----------
    robustness
        A robustness.json that ``inkdigits robust`` wrote, whose figures join the card.

    Raises
    ------
    UsageError
        When the run left no digits to calibrate on, or learned from other data than ``data``.
    RunError
        When a file cannot be read or written, or ``robustness`` has no figures of this run; nothing is written then.
    """
    assert run.folder is not None
    config = {
        "model_type": "inkdigits",
        "architectures": [run.name],
        "options": run.settings["options"],
        "id2label": {str(digit): str(digit) for digit in range(10)},
        "image_size": 28,
        "num_channels": 1,
        "input": "float32 (B, 1, 28, 28) in [0, 1], ink bright on black; normalised inside the network",
        **calibrate(run, validation_digits(run, data)).to_dict(),
    }
    card = model_card(run, data, float(config["temperature"]), robustness)
    write_bytes(out / "model.safetensors", (run.folder / "model.safetensors").read_bytes())
    write_json(out / CONFIG, config)
    write_text(out / CARD, card)
    return [out / "model.safetensors", out / CONFIG, out / CARD]


def model_card(run: Run, data: Dataset, temperature: float, robustness: Path | None = None) -> str:
    """Return the model card of a run, Markdown with the head that Hugging Face reads, every figure measured now."""
    logits, labels = logits_of(run.model, data.test.images), data.test.labels
    found = calibration(logits, labels, temperature)
    right = int((logits.argmax(1) == labels).sum())
    low, high = wilson(right, len(labels))
    rows = [
        ("accuracy", f"{100 * right / len(labels):.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f})"),
        ("negative log-likelihood, calibrated", f"{found.nll:.4f}"),
        ("Brier score", f"{found.brier:.5f}"),
        ("expected calibration error", f"{100 * found.ece:.2f} %"),
        (f"read at {100 * TARGET:.2f} % accuracy, the surest first", f"{100 * found.coverage_at():.2f} %"),
    ]
    if robustness:
        rows += _robust_rows(run, robustness, len(labels))
    facts = run.settings["data"]
    metric = {"type": "accuracy", "value": right / len(labels)}
    task = {"type": "image-classification"}
    index = [
        {
            "name": run.name,
            "results": [{"task": task, "dataset": {"name": data.name, "type": data.name}, "metrics": [metric]}],
        }
    ]
    return "\n".join(
        [
            "---",
            "license: apache-2.0",
            "library_name: inkdigits",
            "pipeline_tag: image-classification",
            f"model-index: {json.dumps(index)}",
            "---",
            "",
            f"# {run.name}, reading handwritten digits",
            "",
            f"After {model_spec(run.name).paper}; {count_parameters(run.model):,} parameters, "
            f"{count_macs(run.model, data.test):,} multiply-accumulates a digit. Trained by inkdigits on "
            f"{facts['train']:,} digits of {data.name}; {facts['validation']:,} others were held out for the "
            f"temperature, {temperature:.3f}, and the threshold of refusal. The figures are the last epoch's.",
            "",
            f"| on the {len(labels):,} test digits of {data.name} | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            "It was made by",
            "",
            f"    {train_command(run)}",
            "",
            "It reads one digit at a time, cut out, scaled and centred as MNIST's are. Its confidence is calibrated on "
            "MNIST's writers, American clerks and pupils of about 1990, and means less on other hands. Do not let it "
            "decide alone where a misread digit does harm.",
            "",
        ]
    )


def train_command(run: Run) -> str:
    """Return the command that trains a run anew, every setting spelled out; an ensemble's members are named by hash."""
    if "members" in run.settings:
        hashes = " ".join(member["weights_sha256"][:12] for member in run.settings["members"])
        return f"inkdigits ensemble {hashes}"
    facts = {"data": run.settings["data"]["name"], "seed": run.settings["seed"]}
    facts |= {"validation": run.settings["data"]["validation"], **run.settings["recipe"]}
    parts = [f"--{key.replace('_', '-')} {value}" for key, value in facts.items()]
    parts += [f"--option '{key}={json.dumps(value)}'" for key, value in run.settings["options"].items()]
    if "teacher" in run.settings:
        parts.append(f"--teacher {run.settings['teacher']['weights_sha256'][:12]}…")
    return f"inkdigits train {run.name} " + " ".join(parts)


def _robust_rows(run: Run, path: Path, n_test: int) -> list[tuple[str, str]]:
    """Return the card's rows of a robustness.json, for the run with these weights."""
    found = read_json(path)
    own = [row for row in found.get("runs", {}).values() if row.get("weights_sha256") == run.weights_sha256]
    if not own:
        raise RunError(f"{path} has no figures of {run.folder}; `inkdigits robust {run.folder}` measures them")
    rows = []
    if "published_mean" in own[0]:
        few = "" if found["n_test"] == n_test else f", the first {found['n_test']:,} digits"
        rows.append((f"mean over the 15 corruptions of MNIST-C{few}", f"{100 * own[0]['published_mean']:.2f} %"))
    return rows + [
        (f"accuracy on {name}", f"{100 * value:.2f} %") for name, value in own[0].get("cross_dataset", {}).items()
    ]
