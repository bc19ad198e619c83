"""Time of graph networks and their explanations: ``make bench`` runs this and writes graph.json beside it.

Ratios come from one run on one machine: an epoch against the CNN's, an explanation against one forward pass.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from inkdigits.data import Dataset, load
from inkdigits.data.pixel_graph import pixel_graph
from inkdigits.evaluation.connectivity import connectivity, first_cut
from inkdigits.evaluation.explain import explain
from inkdigits.models.gnn import GNN
from inkdigits.report.figures import png
from inkdigits.report.graph_figures import connectivity_figure, importance_figure, messages_figure, messages_gif
from inkdigits.training import Run, train
from inkdigits.training.device import hardware, keep_freed_memory, versions

DIGITS = 20  # test digits that are explained


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the median time of ``work`` after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def epoch(model: str, data: Dataset, **settings: object) -> tuple[Run, float]:
    """Return a run of one epoch on all 60,000 digits, and the seconds spent on its steps."""
    run = train(model, data, epochs=1, validation=0, device="cpu", **settings)
    return run, run.metrics["train_s"]


def explanations(model: GNN, data: Dataset) -> dict[str, float]:
    """Return the median seconds for one test digit: a forward pass, explanations, and figures."""
    images = torch.tensor(data.test.images[:DIGITS]).float() / 255
    answers = model(images.unsqueeze(1)).argmax(1)
    found = connectivity(model, data.test.images[0])

    def median_of(work: Callable[[int], object]) -> float:
        return statistics.median(seconds(lambda index=index: work(index)) for index in range(DIGITS))

    def explained_by(method: str) -> float:
        return median_of(lambda i: explain(model, images[i : i + 1], answers[i : i + 1], method=method))

    with torch.inference_mode():
        reading = median_of(lambda i: model(images[i : i + 1].unsqueeze(1)))
    return {
        "reading": reading,
        "integrated_gradients": explained_by("integrated-gradients"),
        "occlusion": explained_by("occlusion"),
        "gnn_explainer": explained_by("gnn-explainer"),
        "cut": median_of(lambda i: first_cut(model, pixel_graph(images[i]))),
        "three_pictures": seconds(
            lambda: [png(draw(found)) for draw in (connectivity_figure, importance_figure, messages_figure)], 5
        ),
        "animation": seconds(lambda: messages_gif(found), 5),
    }


def main() -> None:
    """Measure everything and write graph.json."""
    keep_freed_memory()
    data = load("mnist")
    plain, plain_s = epoch("gnn", data, augment="none")
    assert isinstance(plain.model, GNN)
    result: dict[str, object] = {
        "gnn_epoch_s": plain_s,
        "gnn_epoch_with_distortion_s": epoch("gnn", data)[1],
        "gnn_small_epoch_s": epoch("gnn", data, preset="small", augment="none")[1],
        "gnn_attention_epoch_s": epoch("gnn-attention", data, augment="none")[1],
        "cnn_epoch_s": epoch("cnn", data, augment="none")[1],
        "graph_of_10000_digits_s": seconds(lambda: pixel_graph(data.test.images), 3),
        "one_digit_s": explanations(plain.model, data),
    }
    result["gnn_over_cnn_epoch"] = result["gnn_epoch_s"] / result["cnn_epoch_s"]
    result["integrated_gradients_over_reading"] = (
        result["one_digit_s"]["integrated_gradients"] / result["one_digit_s"]["reading"]
    )
    result |= {"hardware": hardware(torch.device("cpu")), "versions": versions()}
    path = Path(__file__).with_name("graph.json")
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
