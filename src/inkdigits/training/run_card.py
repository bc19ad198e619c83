"""What model.json and the metadata of state.safetensors contain, as types that they are checked against."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DataFacts:
    """The data that a run learned from: name, hash, and the numbers of training and validation digits."""

    name: str
    sha256: str
    train: int
    validation: int

    def __post_init__(self) -> None:
        """Raise ValueError for a negative number."""
        if self.train < 0 or self.validation < 0:
            raise ValueError("`train` and `validation` are 0 or more")


@dataclass(frozen=True)
class Hardware:
    """Processor and device of the training."""

    processor: str
    cores: int
    threads: int
    device: str


@dataclass(frozen=True)
class Environment:
    """Where a run was trained, and notes for whoever reads its figures."""

    versions: dict[str, str]
    hardware: Hardware
    data_source: str = ""
    notes: list[str] = field(default_factory=list)
    plugins: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError when the version of inkdigits is missing."""
        if "inkdigits" not in self.versions:
            raise ValueError("`versions` lacks `inkdigits`")


@dataclass(frozen=True)
class Weights:
    """The weights of a teacher, or of a member of an ensemble, by their hash."""

    weights_sha256: str


@dataclass(frozen=True)
class RunSettings:
    """All that decides the weights of a run; :class:`~inkdigits.training.recipe.Recipe` checks the recipe's values."""

    model: str
    options: dict[str, Any]
    recipe: dict[str, int | float | str]
    seed: int
    data: DataFacts
    members: list[Weights] = field(default_factory=list)
    teacher: Weights | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a negative seed."""
        if self.seed < 0:
            raise ValueError("`seed` is 0 or more")


@dataclass(frozen=True, kw_only=True)
class RunCard(RunSettings):
    """A finished run."""

    metrics: dict[str, float]
    environment: Environment
    weights_sha256: str
