"""The forms of requests and answers: what JSON is checked by, and what the OpenAPI document says of the rest."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: object) -> object:
    """Return 4 for 4.0, which JSON Schema calls an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Image64 = Annotated[
    str,
    Field(
        min_length=4,
        description="An image's bytes in base64 (RFC 4648, section 4).",
        json_schema_extra={"format": "byte"},
    ),
]
Layout = Literal["auto", "line", "boxes"]
Check = Literal["luhn", "mod97", "isbn"]
Length = Annotated[int, Field(ge=1, le=100), WHOLE]
Share = Annotated[float, Field(ge=0, le=1)]
Value = Annotated[int, Field(ge=0, le=9), WHOLE]
Count = Annotated[int, Field(ge=0), WHOLE]
Box = Annotated[list[int], Field(min_length=4, max_length=4, description="Left, top, width, height, pixels.")]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
Alternatives = Annotated[list[Pair], Field(description="The next likeliest digits, each with its probability.")]
Reject = Literal["blank", "not_a_digit", "ambiguous", "too_small"]


class Asked(BaseModel):
    """What a request brings: no more than is known."""

    model_config = ConfigDict(extra="forbid")


class CropBody(Asked):
    """An image of one digit."""

    image: Image64


class ReadBody(Asked):
    """A page, and how it is to be read."""

    image: Image64
    layout: Layout = "auto"
    length: Length | None = None
    check: Check | None = None
    min_confidence: Share = 0.0


class CorrectionBody(Asked):
    """An image of one digit, what was read, and what it is; null stands for no digit."""

    image: Image64
    guess: Value | None
    truth: Value | None


class Predicted(BaseModel):
    """What is read of one crop."""

    model: str
    digit: Value | None
    confidence: float
    alternatives: Alternatives
    reject: Reject | None
    refusal: Annotated[float | None, Field(description="Higher where it is less like a digit.")]
    probabilities: Annotated[list[float], Field(min_length=10, max_length=10)]
    picture: Annotated[str, Field(description="What the network sees: a PNG, 28x28, in base64.")]


class ReadDigit(BaseModel):
    """One digit on a page."""

    digit: Value | None
    confidence: float
    box: Box
    alternatives: Alternatives
    reject: Reject | None


class ReadLine(BaseModel):
    """One number on a page."""

    text: str
    confidence: float
    box: Box
    rule: str | None = None
    runner_up: Annotated[list[str | float] | None, Field(description="The next likeliest, its probability.")] = None
    digits: list[ReadDigit]


class Page(BaseModel):
    """What is read on one page."""

    source: str
    page: int
    model: str
    layout: str
    turned: int
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    warnings: list[str]
    lines: list[ReadLine]


class Pages(BaseModel):
    """What is read of a document."""

    pages: list[Page]


class ModelFacts(BaseModel):
    """A model, and the card that lies in its file."""

    name: str
    served_as: Annotated[str, Field(description="Its name under /v2.")]
    version: str
    card: dict[str, Any]


class Models(BaseModel):
    """The models that read here, and whether corrections are kept."""

    models: list[ModelFacts]
    feedback: bool


class Kept(BaseModel):
    """A correction that is kept."""

    id: int


class Health(BaseModel):
    """How the service is."""

    status: str


class ProblemBody(BaseModel):
    """ProblemError details, RFC 9457; under /v2 with ``error`` too."""

    type: str
    title: str
    status: int
    detail: str
    error: str | None = None
