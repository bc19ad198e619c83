"""Schemas of requests and responses: they check JSON bodies, and they describe the API in the OpenAPI document."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from inkdigits.reader.layouts import AUTO, list_layouts


def _whole(value: object) -> object:
    """Return 4 for 4.0, which JSON Schema calls an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Image64 = Annotated[
    str,
    Field(
        min_length=4,
        description="The bytes of an image file in base64 (RFC 4648, section 4), or a data: URL of them.",
        json_schema_extra={"format": "byte"},
    ),
]
if TYPE_CHECKING:
    Layout = str
else:
    Layout = Literal[AUTO, *list_layouts()]  # the registered layouts
Check = Literal["luhn", "mod97", "isbn"]
Length = Annotated[int, Field(ge=1, le=100), WHOLE]
Share = Annotated[float, Field(ge=0, le=1)]
Value = Annotated[int, Field(ge=0, le=9), WHOLE]
Count = Annotated[int, Field(ge=0), WHOLE]
Box = Annotated[list[int], Field(min_length=4, max_length=4, description="Left, top, width and height in pixels.")]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
Alternatives = Annotated[list[Pair], Field(description="The next most probable digits, each with its probability.")]
NumberAndShare = Annotated[list[str | float], Field(min_length=2, max_length=2)]
CropReject = Literal["blank", "not_a_digit", "ambiguous", "too_small"]
Reject = Literal["blank", "not_a_digit", "ambiguous", "too_small", "crossed_out"]


class RequestBody(BaseModel):
    """Base of request bodies. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class CropBody(RequestBody):
    """An image of one digit."""

    image: Image64


class ReadBody(RequestBody):
    """A page, and the options for reading it."""

    image: Image64
    layout: Layout = "auto"
    length: Length | None = None
    check: Check | None = None
    min_confidence: Share = 0.0


class CorrectionBody(RequestBody):
    """An image of one digit, the digit that was read, and the true one. Null means that it is not a digit."""

    image: Image64
    guess: Value | None
    truth: Value | None


class Predicted(BaseModel):
    """The result for an image of one digit."""

    model: str
    digit: Value | None
    confidence: float
    alternatives: Alternatives
    reject: CropReject | None
    refusal: Annotated[float | None, Field(description="Refusal score; a higher one means more doubt.")]
    probabilities: Annotated[list[float], Field(min_length=10, max_length=10)]
    picture: Annotated[str, Field(description="The input of the network: a PNG of 28x28 pixels in base64.")]


class ReadDigit(BaseModel):
    """A digit on a page."""

    digit: Value | None
    confidence: float
    box: Box
    alternatives: Alternatives
    reject: Reject | None


class ReadLine(BaseModel):
    """A number on a page."""

    text: Annotated[str, Field(description="Digits and separators; ? for a rejected digit, a space for a blank box.")]
    number: Annotated[str, Field(description="The text without separators.")]
    confidence: float
    doubtful: bool
    box: Box
    alternatives: Annotated[
        list[NumberAndShare], Field(description="The next most probable numbers, each with its probability.")
    ]
    rule: str | None = None
    runner_up: Annotated[
        NumberAndShare | None,
        Field(description="The next most probable number that satisfies the rule, and its probability."),
    ] = None
    digits: list[ReadDigit]


class Page(BaseModel):
    """The result for one page."""

    source: str
    page: int
    model: str
    layout: str
    turned: int
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    warnings: list[str]
    lines: list[ReadLine]
    cells: Annotated[
        list[list[str]], Field(description="The texts as a table: rows of columns, empty where no number stands.")
    ]


class Pages(BaseModel):
    """The result for a document."""

    pages: list[Page]


class ModelFacts(BaseModel):
    """A model, and the card that its file contains."""

    name: str
    served_as: Annotated[str, Field(description="Name of the model under /v2.")]
    version: str
    card: dict[str, Any]


class Models(BaseModel):
    """The models of this server, and whether it stores corrections."""

    models: list[ModelFacts]
    feedback: bool


class Kept(BaseModel):
    """The number of a stored correction."""

    id: int


class Health(BaseModel):
    """The state of the service."""

    status: str


class ProblemBody(BaseModel):
    """Problem details (RFC 9457). Under /v2 there is also ``error``."""

    type: str
    title: str
    status: int
    detail: str
    error: str | None = None
