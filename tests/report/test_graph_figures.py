"""Pictures of digits as graphs show what the arrays say."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from inkdigits.data import Dataset
from inkdigits.evaluation.connectivity import Connectivity, connectivity
from inkdigits.experiments import Comparison
from inkdigits.models import create_model
from inkdigits.models.gnn import GNN
from inkdigits.report import graph_figures as draw
from inkdigits.report.explain import write_explanation


@pytest.fixture(scope="module")
def gnn(comparison: Comparison) -> GNN:
    model = comparison.runs["gnn"][0].model
    assert isinstance(model, GNN)
    return model


@pytest.fixture(scope="module")
def found(gnn: GNN, small: Dataset) -> Connectivity:
    return connectivity(gnn, small.test.images[0], methods=["integrated-gradients"])


def test_an_edge_is_drawn_once_for_each_pair(found: Connectivity) -> None:
    ax = Figure().add_subplot()
    draw.graph_plot(ax, found)
    lines = ax.collections[0]
    assert len(lines.get_segments()) == len(found.pairs)
    assert len(ax.collections[1].get_offsets()) == len(found.pos)
    assert f"read as {found.digit}" in ax.get_title()


def test_importance_is_the_colour_of_both_directions_together(found: Connectivity) -> None:
    ax = Figure().add_subplot()
    draw.draw_edges(ax, found.pos, found.edge_index, found.edges["integrated-gradients"])
    values = ax.collections[0].get_array()
    assert values.sum() == pytest.approx(found.edges["integrated-gradients"].sum(), abs=1e-3)
    assert np.abs(values).argmax() == len(values) - 1  # the strongest lies on top


def test_the_levels_show_how_many_were_reached(found: Connectivity) -> None:
    start = draw.start_of(found)
    titles = [ax.get_title() for ax in draw.messages_figure(found).axes]
    assert titles == [
        f"{level.name}\n{level.reached[:, start].sum()} of {len(level.reached)}" for level in found.levels
    ]


def test_the_animation_has_a_frame_for_each_level(found: Connectivity) -> None:
    with Image.open(io.BytesIO(draw.messages_gif(found))) as picture:
        assert picture.n_frames == len(found.levels)
        assert picture.info["loop"] == 0


@pytest.mark.parametrize("image", [np.zeros((28, 28)), np.eye(28) * (np.arange(28) == 9), np.ones((28, 28))])
def test_odd_images_are_drawn_too(image: np.ndarray, tmp_path: Path) -> None:
    model = create_model("gnn-attention", widths=[4, 8]).eval()
    paths = write_explanation(connectivity(model, image, methods=["gnn-explainer"]), tmp_path)
    assert [path.name for path in paths] == [
        *("connectivity.json", "connectivity.png", "importance.png", "messages.png", "messages.gif")
    ]
    assert all(path.stat().st_size > 500 for path in paths)
    assert set(json.loads(paths[0].read_text())["edges"]) == {"gnn-explainer", "attention"}
