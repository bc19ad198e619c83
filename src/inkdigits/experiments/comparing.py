"""A comparison from start to end: plan the grid, train it, collect the runs, measure explanations, write the tables."""

from collections.abc import Sequence
from pathlib import Path

from inkdigits.data import Dataset, load
from inkdigits.errors import UsageError
from inkdigits.evaluation.faithfulness import Explained
from inkdigits.evaluation.faithfulness import faithfulness as measure_faithfulness
from inkdigits.experiments.comparison import Comparison
from inkdigits.experiments.comparison_folder import TABLES, collect, weights_of, write_faithfulness, write_tables
from inkdigits.experiments.execution import Notify, ProgressFor, train_grid
from inkdigits.experiments.grid import parse_entries, plan_grid
from inkdigits.files import locked, remove_temporary_files


def compare(
    models: Sequence[str] | None = None,
    data: str | Dataset = "mnist",
    *,
    seeds: int = 1,
    epochs: int | None = None,
    quick: bool = False,
    faithfulness: int = 0,
    jobs: int = 1,
    validation: int | None = None,
    device: str = "auto",
    out: str | Path = "runs/compare",
    progress_for: ProgressFor | None = None,
    notify: Notify | None = None,
) -> Comparison:
    """Train every network with every seed and write the folder of the comparison.

    Parameters
    ----------
    models
        Names, or ``name:preset``; None for every network.
    data
        A data set, or the argument of :func:`inkdigits.load`.
    seeds, epochs, quick
        Seeds 0, 1, … per network; epochs instead of the recipe's; whether to cut them to about 36,000 digits in all.
    faithfulness
        Test digits on which explanations of graph networks (standard preset) are measured; 500 take some minutes.
    jobs
        Runs side by side, which share the cores.
    validation, device
        As for :func:`inkdigits.train`.
    out
        The folder; finished runs in it are not trained again.
    progress_for, notify
        Progress of one run, used when ``jobs`` is 1; receiver of a line of text per finished run.

    Raises
    ------
    UsageError
        When a setting is invalid.
    RunError
        When the folder holds runs of other settings, is in use by another process, or cannot be written.
    """
    say = notify or (lambda line: None)
    entries = parse_entries(models)
    _check(seeds, jobs, faithfulness)
    dataset = _load_with_test(data)
    folder = Path(out)
    planned = plan_grid(
        entries, dataset, folder, seeds=seeds, epochs=epochs, quick=quick, validation=validation, device=device
    )
    with locked(folder):
        for name in TABLES:
            remove_temporary_files(folder / name)
        train_grid(planned, dataset, jobs, progress_for, say)
        comparison = collect(folder, entries, seeds, quick, dataset)
        if faithfulness:
            measure_explanations(comparison, faithfulness, say)
        write_tables(comparison)
    return comparison


def _check(seeds: int, jobs: int, faithfulness: int) -> None:
    if seeds < 1 or jobs < 1 or faithfulness < 0:
        raise UsageError(
            f"seeds and jobs must be at least 1 and faithfulness at least 0, not {seeds}, {jobs} and {faithfulness}"
        )


def _load_with_test(data: str | Dataset) -> Dataset:
    dataset = load(data) if isinstance(data, str) else data
    if not len(dataset.test):
        raise UsageError(f"{dataset.name} has no test digits to compare on")
    return dataset


def measure_explanations(comparison: Comparison, asked: int, notify: Notify) -> None:
    """Measure the explanations of each graph network on ``asked`` test digits, all classes in proportion.

    A measurement of the same weights on as many digits is kept. Results are written after each network.
    """
    labels = [label for label in comparison.graph_networks if ":" not in label]
    if not labels:
        notify("explanations are measured for gnn and gnn-attention with the standard preset; this grid has neither")
    test = comparison.dataset.test
    images = (test if asked >= len(test) else test.split(asked, seed=0)[1]).images
    for label in labels:
        runs = comparison.runs[label]
        kept = comparison.faithfulness.get(label)
        if kept and kept.asked == asked:
            continue
        notify(f"{label}: measuring the faithfulness of its explanations on {len(images)} digits")
        rows = measure_faithfulness(runs, images, notify=notify)
        comparison.faithfulness[label] = Explained(weights_of(runs), asked, rows)
        write_faithfulness(comparison)
