"""What a design may say, and what it is refused for."""

from pathlib import Path

import numpy as np
import pytest

from inkdigits.errors import UsageError
from inkdigits.forms.design import load_design, parse_design
from inkdigits.forms.example import example
from inkdigits.forms.fields import Date, Decimal, Digits, Weights, rule_of
from inkdigits.forms.sums import sums
from inkdigits.reader.checksums import satisfying

HEAD = 'name = "exam"\ntitle = "An exam"\n'
TABLE = """
[[fields]]
kind = "rows"
name = "marks"
count = 3
fields = [{kind = "integer", name = "a", maximum = 9}, {kind = "decimal", name = "b", before = 1, after = 1},
          {kind = "decimal", name = "both", before = 2, after = 1}]
[[fields]]
kind = "decimal"
name = "total"
before = 3
after = 1
"""


def field(text: str) -> str:
    return f'{HEAD}[[fields]]\nname = "x"\n{text}\n'


def rows(text: str) -> str:
    return field(f'kind = "rows"\ncount = 2\n{text}')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (field('kind = "digit"\nlength = 3'), "`$.fields[0].kind`; the kinds are choice, date, decimal, digits"),
        (field('kind = "digits"\nlength = 3\nwidth = 2'), "unknown field `width` - at `$.fields[0]`"),
        (field('kind = "digits"\nlength = 31'), "$.fields[0].length"),
        (field('kind = "digits"\nlength = 9\ncheck = "isbn"'), "x: an ISBN has 10 or 13 digits, not 9"),
        (field('kind = "digits"\nlength = 1\ncheck = "luhn"'), "x: a number with a check digit has at least 2"),
        (field('kind = "digits"\nlength = 3\ncheck = {weights = [1, 2]}'), "x has 3 digits and 2 weights"),
        (field('kind = "digits"\nlength = 2\ncheck = {weights = [1, 2], remainder = 10}'), "10 is not below"),
        (field('kind = "integer"\nminimum = 9\nmaximum = 3'), "x: the range from 9 to 3 is reversed"),
        (field('kind = "decimal"\nbefore = 1\nafter = 1\nmaximum = 10'), "x: 10 does not fit into #.#"),
        (field('kind = "decimal"\nbefore = 1\nafter = 1\nminimum = 3\nmaximum = 2'), "from 3.0 to 2.0 is reversed"),
        (field('kind = "date"\nformat = "DD.MM"'), "a date is written as DD, MM and YYYY or YY, not 'DD.MM'"),
        (field('kind = "date"\nearliest = 2025-01-01\nlatest = 2024-01-01'), "2025-01-01 to 2024-01-01 is reversed"),
        (field('kind = "choice"\noptions = ["a", "a"]'), "x has the same option twice"),
        (rows('labels = ["a"]\nfields = [{kind = "integer", name = "a", maximum = 1}]'), "x has 2 lines and 1 labels"),
        (rows('fields = [{kind = "text", name = "a"}]'), "x.a: a field of a table is no text"),
        (rows('beside = true\nfields = [{kind = "integer", name = "a", maximum = 1}]'), "the table x has no place"),
        (field('kind = "text"') + '[[fields]]\nname = "x"\nkind = "text"', "two fields of the form are named"),
        (field('kind = "digits"\nlength = 2\nat = [nan, 1]'), "$.fields[0].at[0]"),
        (field('kind = "decimal"\nbefore = 1\nafter = 1\nmaximum = nan'), "$.fields[0].maximum"),
        (field('kind = "digits"\nlength = 2\nbeside = true\nheading = "A"'), "x stands beside another field"),
        ("a = " + 5000 * "[", "nested too deeply"),
        (f'{HEAD}name = "Exam"\nfields = []', "Cannot overwrite a value"),
        ('name = "Exam"\ntitle = "x"\nfields = []', "$.name"),
        (f"{HEAD}fields = []", "$.fields"),
        (f'{HEAD}{TABLE}[[sums]]\ntotal = "total"\nparts = ["marks.c"]', "the sum total needs 'marks.c'"),
        (f'{HEAD}{TABLE}[[sums]]\ntotal = "marks.both"\nparts = ["total"]', "its parts must be in marks too"),
        (f'{HEAD}{TABLE}[[sums]]\ntotal = "total"\nparts = ["marks.a", "marks.a"]', "has a field twice"),
        (f'{HEAD}{TABLE}[[sums]]\ntotal = "total"\nparts = ["total"]', "has a field twice"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_that_names_its_place(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_design(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_design_that_does_not_exist_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"form new .* writes an example"):
        load_design(tmp_path / "no.toml")


@pytest.mark.parametrize(("stem", "name"), [("exam", "exam"), ("Klausur 2026", "klausur-2026"), ("7", "form")])
def test_the_example_is_a_form_with_the_name_of_its_file(stem: str, name: str) -> None:
    design = parse_design(example(stem))
    assert design.name == name
    assert {one.kind for one in design.fields} == {"digits", "date", "choice", "rows", "decimal", "integer", "text"}


def test_the_total_of_a_table_sums_all_its_lines() -> None:
    design = parse_design(f'{HEAD}{TABLE}[[sums]]\ntotal = "total"\nparts = ["marks.both"]')
    (one,) = sums(design)
    assert (one.total, one.parts) == ("total", ("marks.1.both", "marks.2.both", "marks.3.both"))


def test_a_total_in_a_table_is_that_of_each_line() -> None:
    design = parse_design(f'{HEAD}{TABLE}[[sums]]\ntotal = "marks.both"\nparts = ["marks.a", "marks.b"]')
    assert [(one.total, one.parts) for one in sums(design)] == [
        (f"marks.{line}.both", (f"marks.{line}.a", f"marks.{line}.b")) for line in (1, 2, 3)
    ]


def test_a_pattern_has_a_box_for_each_digit() -> None:
    assert Decimal(name="x", before=2, after=1, point=",").pattern == "##,#"
    assert Date(name="x", format="YYYY-MM-DD").pattern == "####-##-##"
    assert Date(name="x", format="DD.MM.YY").digits == 6


def test_the_range_of_a_decimal_counts_in_units_of_its_last_digit() -> None:
    assert Decimal(name="x", before=2, after=1, minimum=0.5, maximum=20).units == (5, 200)
    assert Decimal(name="x", before=1, after=2).units == (0, 999)


def test_own_weights_make_a_rule_that_the_decoder_follows() -> None:
    check = Weights(weights=(7, 3, 1), modulus=10)
    field = Digits(name="x", length=3, check=check)
    likely = np.full((3, 10), 0.01) + 0.9 * np.eye(10)[[1, 2, 4]]  # 7 + 6 + 4 = 17 is no multiple of 10
    assert field.check is not None
    found = satisfying(likely / likely.sum(1, keepdims=True), rule_of(field.check))
    assert found is not None
    assert (7 * int(found.text[0]) + 3 * int(found.text[1]) + int(found.text[2])) % 10 == 0
    left = satisfying(likely / likely.sum(1, keepdims=True), rule_of(Weights(weights=(7, 3, 1), remainder=7)))
    assert left is not None
    assert left.text == "124"  # 17 leaves 7
    assert satisfying(likely[:2], rule_of(check)) is None  # two digits have no place for three weights
