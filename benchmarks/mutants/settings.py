"""What is mutated, which tests must notice, and how long they may take."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = Path("src/inkdigits")  # in the repository and in every copy
WORK = ROOT / "build" / "mutants"  # copies, journal, recordings; not in git
REPORT = ROOT / "benchmarks" / "mutants.json"
REASONS = ROOT / "benchmarks" / "mutants.toml"

TARGET = 0.8  # share of the tried mutants that the tests must notice
EACH = 8  # mutants tried in a module
BUDGET = 40.0  # seconds of tests for one mutant; of the tests that reach it, the slowest are left out beyond that
PATIENCE = (30.0, 5.0)  # a test is stopped after so many seconds, and so many times as long as without a mutant
MEMORY = 12 << 30  # bytes of address space for a child; a mutant may ask for any amount

# a package or a module below src/inkdigits, and its tests
TESTS = {
    "training": ("tests/training",),
    "imaging": ("tests/imaging", "tests/reader"),
    "reader": ("tests/reader",),
    "evaluation/statistics.py": ("tests/evaluation/test_statistics.py",),
}
# tests that are left out, as other processes do what they check: a cluster, a command, a browser
LEFT_OUT = (
    "tests/reader/test_batch.py::test_a_cluster_*",
    "tests/reader/test_batch.py::test_a_broken_image_*",
    "tests/reader/test_batch.py::test_a_pandas_frame_*",
    "tests/training/test_loop.py::test_a_killed_process_*",
)
LEFT_OUT_FIXTURES = ("browser",)
# imported before the first fork; none starts a thread, as onnxruntime and scikit-learn do
WARM = (
    *("cv2", "matplotlib.pyplot", "onnx", "PIL.Image", "platformdirs", "pypdfium2", "rich.progress"),
    *("safetensors.torch", "scipy.ndimage", "scipy.stats", "skimage.morphology", "torch", "typer"),
)
