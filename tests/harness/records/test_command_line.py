"""Command lines: their words, and all that cannot be meant, told when a suite is loaded."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from voxgate import Suite
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import cell_from_json, cell_to_json
from voxgate.harness.records.command_line import command_line, placeholders

SAY = ("mytts", "--text", "{text}", "--out", "{wav}")
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n'


def suite(**fields: object) -> Suite:
    given: dict[str, object] = {
        "target": "command",
        "command": SAY,
        "name": "say",
        "workload": "one.toml",
        "axes": {"steps": [8]},
        "reference": {"steps": 8},
        "arguments": {"steps": ["--steps", "{steps}"]},
    }
    return Suite(**{**given, **fields})  # type: ignore[arg-type]


@pytest.fixture(name="_project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_text(WORKLOAD)
    (tmp_path / "seeded.toml").write_text(WORKLOAD + "seed = 1\n")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["mytts", "--text", "{steps}", "--out", "o"]),
        ({"steps": 8, "flag": True}, ["mytts", "--text", "{steps}", "--out", "o", "-n", "8", "-f"]),
        ({"flag": False}, ["mytts", "--text", "{steps}", "--out", "o"]),
    ],
)
def test_values_are_filled_in_once_and_unset_options_leave_nothing(
    values: Mapping[str, str | int | float | bool], words: list[str]
) -> None:
    command = command_line(SAY, {"steps": ["-n", "{steps}"], "flag": ["-f"]}, "once")
    assert command.fill({"text": "{steps}", "wav": "o", **values}) == words


def test_arguments_stand_where_the_command_wants_them_and_braces_can_be_doubled() -> None:
    command = command_line(
        ["mytts", "{arguments}", "--json={{}}", "{text}"], {"s": ["--s={s}"]}, "once"
    )
    assert command.fill({"s": 0.5, "text": "a"}) == ["mytts", "--s=0.5", "--json={}", "a"]


@pytest.mark.parametrize(
    ("word", "names"),
    [("", ()), ("--x", ()), ("a{b}c{d}", ("b", "d")), ("{{b}}", ()), ("{a.b-c}", ("a.b-c",))],
)
def test_placeholders_are_names_in_braces(word: str, names: tuple[str, ...]) -> None:
    assert placeholders(word) == names


@pytest.mark.parametrize("word", ["{", "}", "{}", "{a!r}", "{a:04d}", "{a[0]}", "{a b}", "{1}"])
def test_no_other_braces_are_read(word: str) -> None:
    with pytest.raises(HarnessError, match="double braces"):
        placeholders(word)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": "mytts --text {text}"}, "command must be a list of words"),
        ({"command": ()}, "command must be a list of words"),
        ({"command": ("mytts", 8)}, "command must be a list of words"),
        ({"command": ("{steps}",)}, "must begin with a program, without placeholders"),
        ({"command": ("",)}, "must begin with a program"),
        ({"command": ("mytts", "{text")}, "double braces"),
        ({"command": ("mytts", "--{arguments}")}, "must be one whole word"),
        ({"command": ("mytts", "{arguments}", "{arguments}")}, "must be one whole word"),
        ({"command": ("mytts", "{txt}")}, "{txt} has no value; it can hold {arguments}"),
        ({"arguments": {}}, "no argument of the command carries the option steps"),
        ({"arguments": {"steps": "--steps {steps}"}}, "must be a list of words"),
        ({"arguments": {"steps": []}}, "must be a list of words"),
        ({"arguments": {"steps": ["--steps"]}}, "does not carry the value 8"),
        ({"arguments": {"steps": ["{seed}"]}}, "no other placeholder than {steps}"),
        ({"arguments": {"text": ["{text}"]}}, "which is no option"),
        (
            {"arguments": {"steps": ["{steps}"], "stepz": ["{stepz}"]}},
            "names stepz, which no cell or request sets; the options are device, steps, threads",
        ),
        ({"fixed": {"wav": "x"}}, "cannot be called wav"),
        ({"workload": "seeded.toml"}, "carries the option seed"),
        ({"cells": [{"rate": 1}]}, "carries the option rate"),
        ({"protocol": "http"}, "protocol must be once or lines, not 'http'"),
        ({"protocol": "lines"}, "can hold no {text}"),
        (
            {
                "protocol": "lines",
                "command": ("mytts", "{seed}"),
                "workload": "seeded.toml",
                "fixed": {"seed": 1},
            },
            "with protocol='lines' it is started before any request",
        ),
        ({"target": "http"}, "belong to target='command'"),
        ({"target": "engine", "command": (), "arguments": {}}, "needs pipeline="),
    ],
)
def test_what_cannot_be_meant_is_told_when_the_suite_is_loaded(
    _project: None, fields: dict[str, object], said: str
) -> None:
    with pytest.raises(HarnessError) as caught:
        suite(**fields).expand()
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_an_option_that_some_cells_leave_unset_needs_an_argument_of_its_own(
    _project: None,
) -> None:
    cells = [{"steps": 4}, {"steps": 8, "rate": 2}]
    fields = {"axes": {}, "cells": cells, "reference": {"steps": 4}}
    with pytest.raises(HarnessError, match=r"{rate} has no value.*where it may be unset"):
        suite(**fields, command=(*SAY, "{rate}")).expand()
    found = suite(**fields, arguments={"steps": ["{steps}"], "rate": ["--rate", "{rate}"]}).expand()
    assert [cell.slug for cell in found.cells] == ["steps-4", "steps-8.rate-2"]


def test_the_command_is_part_of_a_cell_and_of_its_digest(_project: None) -> None:
    (cell,) = suite().expand().cells
    assert cell.pipeline == "once"
    assert cell_from_json(cell_to_json(cell)) == cell
    (other,) = suite(command=("./mytts", *SAY[1:])).expand().cells
    assert other.digest() != cell.digest()
    assert str(cell.command) == "mytts --text {text} --out {wav} [--steps {steps}]"
    (plain,) = Suite(
        target="scripted", pipeline="p", workload="one.toml", cells=[{"a": 1}], reference={"a": 1}
    ).expand().cells  # fmt: skip
    assert "command" not in cell_to_json(plain)
