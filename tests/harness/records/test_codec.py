"""
What is written is read back alike; whatever else a file holds is one error with the path of the
value.
"""

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import (
    NON_EMPTY,
    Key,
    Length,
    OmitDefault,
    Range,
    Row,
    TextPattern,
    Unique,
)
from voxgate.harness.records.documents import parse_json

Name = Annotated[
    str, TextPattern(r"[a-z0-9][a-z0-9._-]*", "a name of small letters, digits, '.', '_' and '-'")
]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Row):
    x_s: float
    y_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    reason: Annotated[str, Key("missing")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    id: Name
    seconds: Annotated[float, Range(over=0.0)]
    value: float | Gap = 0.0
    option: str | int | float | bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    parts: Annotated[tuple[Part, ...], NON_EMPTY, Unique("id")]
    colour: Colour
    better: Literal["lower", "higher"] = "lower"
    count: Annotated[int, Range(0, 9)] = 0
    low: float | None = None
    shares: Mapping[Name, Annotated[float, Range(0, 1)]] = field(default_factory=dict)
    points: Annotated[tuple[Point, ...] | None, OmitDefault()] = None
    pair: tuple[str, int] = ("a", 1)
    names: Annotated[Sequence[str], Length(most=3)] = ()
    anything: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.low is not None and self.low > 100.0:
            raise HarnessError("low lies above high")


WHOLE = Whole(
    parts=(
        Part(id="a", seconds=1.5, value=Gap("no audio"), option=8),
        Part(id="b-1.x", seconds=2.0, option=8.0),
    ),
    colour=Colour.BLUE,
    shares={"u": 0.25},
    points=(Point(x_s=0.0, y_s=1.0),),
    names=("x", "y"),
    anything={"deep": [1, {"er": None}]},
)
DATA: dict[str, Any] = json.loads(json.dumps(to_json(WHOLE)))


def test_what_was_written_is_read_back_with_every_type_as_it_was() -> None:
    read = from_json(Whole, parse_json(json.dumps(to_json(WHOLE)), "x"))

    assert read == WHOLE
    assert [type(part.option) for part in read.parts] == [int, float]


def test_the_form_in_json() -> None:
    assert DATA["parts"][0] == {
        "id": "a",
        "seconds": 1.5,
        "value": {"missing": "no audio"},
        "option": 8,
    }
    assert (DATA["points"], DATA["colour"], DATA["pair"]) == ([[0.0, 1.0]], "blue", ["a", 1])
    assert "points" not in to_json(Whole(parts=WHOLE.parts, colour=Colour.RED))


def test_whole_numbers_are_seconds_too() -> None:
    assert type(from_json(Part, {"id": "a", "seconds": 2}).seconds) is float


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the data with one value replaced."""
    data: Any = json.loads(json.dumps(DATA))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    inner = data
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return data  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "parts/1/id",
            "../x",
            "f: parts[1].id: \"../x\" is not a name of small letters, digits, '.', '_' and '-'",
        ),
        ("parts/1/id", 3, "f: parts[1].id: must be text, not 3"),
        ("parts/1/id", "a", 'f: parts: a list of 2 holds the id "a" more than once'),
        ("parts", [], "f: parts: a list of 0 must not be empty"),
        ("parts", {}, "f: parts: must be a list, not an object of 0"),
        ("parts/0", None, "f: parts[0]: must be an object, not null"),
        ("parts/0/seconds", 0, "f: parts[0].seconds: 0 must be more than 0"),
        ("parts/0/seconds", True, "f: parts[0].seconds: must be a number, not true"),
        ("parts/0/seconds", math.nan, "f: parts[0].seconds: must be a finite number, not NaN"),
        (
            "parts/0/seconds",
            10**400,
            "f: parts[0].seconds: must be a finite number, not a number of 1329 bits",
        ),
        (
            "parts/0/value",
            "x",
            'f: parts[0].value: must be a number or an object with missing, not "x"',
        ),
        (
            "parts/0/value",
            {"reason": "x"},
            'f: parts[0].value: has the unknown key "reason"; known are missing',
        ),
        ("parts/0/value/missing", 3, "f: parts[0].value.missing: must be text, not 3"),
        (
            "parts/0/option",
            None,
            "f: parts[0].option: must be text or a whole number or a number or true or false, not "
            "null",
        ),
        (
            "parts/0/colour",
            1,
            'f: parts[0]: has the unknown key "colour"; known are id, seconds, value, option',
        ),
        ("colour", "green", 'f: colour: "green" is unknown; known are red, blue'),
        ("colour", ["red"], "f: colour: a list of 1 is unknown; known are red, blue"),
        ("better", "bigger", 'f: better: "bigger" is unknown; known are lower, higher'),
        ("count", 10, "f: count: 10 must be at most 9"),
        ("count", -1, "f: count: -1 must be at least 0"),
        ("count", 1.0, "f: count: must be a whole number, not 1.0"),
        ("low", "1", 'f: low: must be a number or null, not "1"'),
        ("low", 101.0, "f: low lies above high"),
        ("shares", [1], "f: shares: must be an object, not a list of 1"),
        ("shares", {"A b": 1}, 'f: shares["A b"]: "A b" is not a name'),
        ("shares", {"a": 2}, "f: shares.a: 2 must be at most 1"),
        ("points", [[1.0]], "f: points[0]: must be a list of 2 values, not a list of 1"),
        ("points", [[1.0, "x"]], 'f: points[0][1]: must be a number, not "x"'),
        ("pair", ["a", "b"], 'f: pair[1]: must be a whole number, not "b"'),
        ("names", ["a"] * 4, "f: names: a list of 4 must be no longer than 3"),
        ("names", "abc", 'f: names: must be a list, not "abc"'),
    ],
)
def test_what_is_wrong_is_told_with_its_path(path: str, value: object, message: str) -> None:
    with pytest.raises(HarnessError) as caught:
        from_json(Whole, changed(path, value), "f")

    assert str(caught.value).startswith(message)


def test_what_is_absent_is_named() -> None:
    with pytest.raises(HarnessError, match=r"^f: parts\[0\]: lacks seconds$"):
        from_json(Whole, changed("parts/0", {"id": "a"}), "f")


def test_unknown_keys_are_ignored_where_that_is_asked_for() -> None:
    assert from_json(Whole, changed("parts/0/colour", 1), ignore_unknown=True) == WHOLE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not valid JSON: Expecting property name"),
        (b"\xff\xfe\x00", "is not valid JSON: "),
        ('{"a": 1, "b": 2, "a": 1}', 'the key "a" stands there twice'),
        ('{"a": NaN}', "NaN is no finite number"),
        ("[-Infinity]", "-Infinity is no finite number"),
        ("[1e999]", "a number is too large"),
        ("9" * 30, "a whole number has 100 bits, more than 64"),
        ("9" * 5000, "is not valid JSON: Exceeds the limit"),
        ('["\\ud800"]', "holds half a character"),
        ('{"\\udfff": 1}', "holds half a character"),
        ("[" * 70 + "]" * 70, "is nested more than 64 levels deep"),
        ("[" * 100_000, "is nested more than 64 levels deep"),
        ('{"a":' * 100_000, "is nested more than 64 levels deep"),
    ],
)
def test_text_that_is_no_json_of_ours_is_one_error(text: str | bytes, message: str) -> None:
    with pytest.raises(HarnessError) as caught:
        parse_json(text, "f.json")

    told = str(caught.value)
    assert told.startswith("f.json")
    assert message in told
    assert len(told) < 200


def test_whole_characters_beyond_the_first_plane_are_text() -> None:
    assert parse_json('["\\ud83d\\ude00"]', "f") == ["\U0001f600"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_json_cannot_hold_is_not_written(value: float) -> None:
    with pytest.raises(HarnessError, match=r"^Whole: parts\[0\]\.seconds: \w+ is no finite number"):
        to_json(Whole(parts=(Part(id="a", seconds=value),), colour=Colour.RED))


def test_a_value_of_any_kind_anywhere_is_read_or_refused() -> None:
    """Two thousand seeded changes: a value, or a HarnessError."""
    rng = random.Random(13)
    odd: list[Any] = [None, True, -1, 0, 10**30, 1e308, math.nan, "", "a", "\x00", "../x", "\ud800"]
    odd += [[], [[]], {}, {"missing": "x"}]

    def paths(data: Any, at: str = "") -> list[str]:
        pairs = (
            data.items()
            if isinstance(data, dict)
            else enumerate(data)
            if isinstance(data, list)
            else ()
        )
        return [
            path for key, value in pairs for path in (f"{at}{key}", *paths(value, f"{at}{key}/"))
        ]

    places = paths(DATA)
    refused = 0
    for _ in range(2000):
        try:
            from_json(Whole, changed(rng.choice(places), rng.choice(odd)), "f")
        except HarnessError as error:
            refused += 1
            assert str(error).startswith("f: ")
            assert str(error).isprintable()
    assert refused > 1000
