"""Figures of a comparison, except those of graph networks. A plot takes axes or makes them, and returns its figure."""

from collections.abc import Callable
from types import MappingProxyType

from matplotlib.figure import Figure

from inkdigits.experiments.comparison import Comparison
from inkdigits.report.figures.curves import accuracy_curves, convergence, curve, loss_curves, mse_curves
from inkdigits.report.figures.digits import class_counts, samples
from inkdigits.report.figures.plotting import COLOURS, new_figure, panels, png, show_digit
from inkdigits.report.figures.results import (
    accuracies,
    autoencoder_reconstructions,
    confusion,
    confusions,
    error_against_parameters,
    error_against_time,
    losses,
    most_misread,
    pairs,
    reconstructions,
)

__all__ = [
    "COLOURS",
    "FIGURES",
    "accuracies",
    "accuracy_curves",
    "class_counts",
    "confusion",
    "confusions",
    "convergence",
    "curve",
    "error_against_parameters",
    "error_against_time",
    "loss_curves",
    "losses",
    "most_misread",
    "mse_curves",
    "new_figure",
    "pairs",
    "panels",
    "png",
    "reconstructions",
    "samples",
    "show_digit",
]

Draw = Callable[[Comparison], Figure | None]  # None when the comparison has nothing to draw

FIGURES: MappingProxyType[str, tuple[Draw, str]] = MappingProxyType(
    {
        "samples": (lambda c: samples(c.dataset.train), "Digits of the training set, one class per row."),
        "class_counts": (lambda c: class_counts(c.dataset), "Number of digits per class."),
        "accuracies": (accuracies, "Test accuracy, with the interval that the size of the test set allows."),
        "losses": (losses, "Cross-entropy and MSE on training and test digits after the last epoch."),
        "loss_curves": (loss_curves, "Cross-entropy per epoch. A test curve that rises again shows overfitting."),
        "mse_curves": (mse_curves, "MSE per epoch."),
        "accuracy_curves": (accuracy_curves, "Accuracy per epoch; the lowest early values may be below the frame."),
        "convergence": (convergence, "Test error of each network against the time spent on training."),
        "error_against_parameters": (error_against_parameters, "Test error against the number of parameters."),
        "error_against_time": (error_against_time, "Test error against training time."),
        "pairs": (pairs, "Each pair of networks by the exact McNemar test, with Holm's correction."),
        "confusions": (
            confusions,
            "Confusion matrices, first seed. The colour shows errors only, on a separate scale for each network.",
        ),
        "most_misread": (most_misread, "The test digits that most of the trained networks, over all seeds, misread."),
        "reconstructions": (autoencoder_reconstructions, "Test digits, and below them the reconstructions."),
    }
)
