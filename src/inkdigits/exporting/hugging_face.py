"""Export of a run as a Hugging Face folder: model.safetensors, config.json, and a model card with measured figures."""

import json
import shlex
import textwrap
from pathlib import Path

from inkdigits.data import Dataset
from inkdigits.errors import RunError
from inkdigits.escape import markdown, printable
from inkdigits.evaluation.calibration import TARGET, calibration
from inkdigits.evaluation.metrics import count_macs, count_parameters
from inkdigits.evaluation.statistics import wilson
from inkdigits.experiments.robustness import RobustnessFile
from inkdigits.exporting.deployed import calibrate
from inkdigits.files import read_json, write_bytes, write_json, write_text
from inkdigits.models import model_spec
from inkdigits.models.registry import require_digits
from inkdigits.training import Run, validation_digits
from inkdigits.training.inference import logits_of

CONFIG, CARD = "config.json", "README.md"
WIDTH = 100  # columns of a line of prose in the card, as in the documents
LIMITS = (
    "The input is one digit, cut out, scaled and centred as in MNIST. The confidence is calibrated on the writers of "
    "MNIST, American clerks and pupils of about 1990; it is less reliable for other writers. Do not let the model "
    "decide alone where a misread digit causes harm."
)


def write_folder(run: Run, data: Dataset, out: Path, robustness: Path | None = None) -> list[Path]:
    """Write a run's folder for a model hub; return the paths.

    Parameters
    ----------
    robustness
        A robustness.json that ``inkdigits robust`` wrote; its figures are added to the card.

    Raises
    ------
    UsageError
        When the run reads lines, has no validation digits to calibrate on, or learned from other data than ``data``.
    RunError
        When a file cannot be read or written, or ``robustness`` has no figures of this run; then nothing is written.
    """
    require_digits(run.name, "`export --format huggingface` writes")
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
    """Return the model card of a run, Markdown with Hugging Face's metadata; the figures are measured by this call."""
    logits, labels = logits_of(run.model, data.test.images), data.test.labels
    correct = int((logits.argmax(1) == labels).sum())
    found = calibration(logits, labels, temperature)
    low, high = wilson(correct, len(labels))
    rows = [
        ("accuracy", f"{100 * correct / len(labels):.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f})"),
        ("negative log-likelihood, calibrated", f"{found.nll:.4f}"),
        ("Brier score", f"{found.brier:.5f}"),
        ("expected calibration error", f"{100 * found.ece:.2f} %"),
        (f"coverage at {100 * TARGET:.2f} % accuracy", f"{100 * found.coverage_at():.2f} %"),
    ]
    if robustness:
        rows += _robust_rows(run, robustness, len(labels))
    facts, name = run.settings["data"], markdown(data.name)
    return "\n".join(
        [
            *_metadata(run, data, correct / len(labels)),
            "",
            f"# {run.name}: handwritten digits",
            "",
            wrapped(
                f"Architecture: {model_spec(run.name).paper}; {count_parameters(run.model):,} parameters, "
                f"{count_macs(run.model, data.test):,} multiply-accumulates per digit. Trained by inkdigits on "
                f"{facts['train']:,} digits of {name}; {facts['validation']:,} validation digits were held out "
                f"for the temperature, {temperature:.3f}, and the refusal threshold. The figures are those of the "
                "last epoch."
            ),
            "",
            f"| on the {len(labels):,} test digits of {name} | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            "Command:",
            "",
            f"    {train_command(run)}",
            "",
            wrapped(LIMITS),
            "",
        ]
    )


def wrapped(text: str) -> str:
    """Return a paragraph in lines of at most WIDTH columns."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _metadata(run: Run, data: Dataset, accuracy: float) -> list[str]:
    """Return the lines of the card's metadata block."""
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": data.name, "type": data.name},
        "metrics": [{"type": "accuracy", "value": accuracy}],
    }
    return [
        "---",
        "license: apache-2.0",
        "library_name: inkdigits",
        "pipeline_tag: image-classification",
        f"model-index: {json.dumps([{'name': run.name, 'results': [result]}])}",
        "---",
    ]


def train_command(run: Run) -> str:
    """Return the command that trains a run, with every setting; members of an ensemble are named by hash."""
    if "members" in run.settings:
        hashes = " ".join(member["weights_sha256"][:12] for member in run.settings["members"])
        return f"inkdigits ensemble {hashes}"
    facts = {"data": run.settings["data"]["name"], "seed": run.settings["seed"]}
    facts |= {"validation": run.settings["data"]["validation"], **run.settings["recipe"]}
    parts = [f"--{key.replace('_', '-')} {shlex.quote(printable(value))}" for key, value in facts.items()]
    parts += [f"--option {_quoted(f'{key}={json.dumps(value)}')}" for key, value in run.settings["options"].items()]
    if "teacher" in run.settings:
        parts.append(f"--teacher {run.settings['teacher']['weights_sha256'][:12]}…")
    return f"inkdigits train {run.name} " + " ".join(parts)


def _quoted(text: str) -> str:
    """Return a word of a shell's command between quotes, whether it needs them or not."""
    return "'" + text.replace("'", "'\\''") + "'"


def _robust_rows(run: Run, path: Path, n_test: int) -> list[tuple[str, str]]:
    """Return the rows of the card from a robustness.json, for the run with these weights."""
    found = read_json(path, RobustnessFile)
    own = next((row for row in found.runs.values() if row.weights_sha256 == run.weights_sha256), None)
    if own is None:
        raise RunError(f"{path} has no figures of {run.folder}; `inkdigits robust {run.folder}` measures them")
    rows = []
    if own.published:
        few = "" if found.n_test == n_test else f", the first {found.n_test:,} digits"
        rows.append((f"mean over the 15 corruptions of MNIST-C{few}", f"{100 * own.published_mean:.2f} %"))
    return rows + [
        (f"accuracy on {markdown(name)}", f"{100 * value:.2f} %") for name, value in own.cross_dataset.items()
    ]
