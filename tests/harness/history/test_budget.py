"""Budgets: the file, every way to get it wrong, and when a budget is broken."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.history.budget import Budget, broken_by, load_budgets, unmatched
from voxgate.harness.history.records import Series
from voxgate.harness.history.series import Nights
from voxgate.harness.suite.suite import load_suite

ROOT = Path(__file__).parents[3]
GOOD = """schema_version = 1
[[budget]]
suite = "smoke"
cell = "nfe_steps-8"
metric = "rtf"
at_most = 0.30
why = "faster than speech"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "budgets.toml").write_text(text)
    return folder


def budget(
    at_most: float | None = 0.3, at_least: float | None = None, machine: str = "*"
) -> Budget:
    return Budget(
        suite="smoke",
        cell="nfe_steps-*",
        metric="rtf",
        machine=machine,
        at_most=at_most,
        at_least=at_least,
        why="w",
    )


def series(**changed: str) -> Series:
    names = {
        "suite": "smoke",
        "profile": "cpu",
        "machine": "epyc-2c",
        "cell": "nfe_steps-8",
        "metric": "rtf",
    } | changed
    return Series(id=1, label="", unit="s/s", better="lower", version="1", **names)


def nights(*values: float) -> Nights:
    return Nights(
        days=np.datetime64("2026-11-01") + np.arange(len(values)), values=np.array(values)
    )


def test_a_budget_is_read(tmp_path: Path) -> None:
    (found,) = load_budgets(write(tmp_path, GOOD))

    assert (found.at_most, found.at_least, found.machine, found.why) == (
        0.3,
        None,
        "*",
        "faster than speech",
    )
    assert found.name == "smoke / nfe_steps-8 / rtf at most 0.3"


def test_without_the_file_there_is_no_budget(tmp_path: Path) -> None:
    assert load_budgets(tmp_path) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[[budget]]", "[[budget"), "cannot be read"),
        (("schema_version = 1", "schema_version = 2"), "schema_version is 2"),
        (("schema_version = 1", ""), "schema_version is None"),
        (("[[budget]]", "[[budgets]]"), r"expected \[\[budget\]\] entries .* found budgets"),
        (("[[budget]]", "[budget]"), r"expected \[\[budget\]\] entries"),
        (("at_most", "at_mots"), "budget 1: at_mots: there is no such key; known are suite, cell"),
        (('"rtf"', '"rft"'), "budget 1: there is no metric 'rft'; known are latency_p50"),
        (('"smoke"', "7"), "budget 1: suite is 7; it must be text"),
        (('why = "faster than speech"', ""), "budget 1: why is None"),
        (('"faster than speech"', '" "'), "budget 1: why is ' '"),
        (("0.30", "nan"), "budget 1: at_most is nan; it must be a number"),
        (("0.30", "true"), "budget 1: at_most is True"),
        (("at_most = 0.30", ""), "budget 1: found no limit; give exactly one"),
        (
            ("at_most = 0.30", "at_most = 1\nat_least = 0"),
            "budget 1: found at_most and at_least; give exactly one",
        ),
        (("at_most", "at_least"), "budget 1: at_least on rtf, of which lower is better"),
        (('"rtf"', '"pesq"'), "budget 1: at_most on pesq, of which higher is better"),
    ],
)
def test_a_wrong_file_is_refused_by_file_entry_and_key(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(HarnessError, match=said) as error:
        load_budgets(write(tmp_path, GOOD.replace(*change)))

    assert "budgets.toml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("metric", "bound"),
    [("duration", "at_least"), ("duration", "at_most"), ("stage.vocoder", "at_most")],
)
def test_either_bound_fits_where_neither_way_is_better_and_helpers_are_known(
    tmp_path: Path, metric: str, bound: str
) -> None:
    text = GOOD.replace('"rtf"', f'"{metric}"').replace("at_most", bound)

    assert load_budgets(write(tmp_path, text))[0].metric == metric


def test_the_shipped_file_is_read_and_names_cells_that_exist() -> None:
    budgets = load_budgets(ROOT / "baselines")

    assert budgets
    for budget in budgets:
        slugs = [cell.slug for cell in load_suite(budget.suite, ROOT).expand(ROOT).cells]
        assert any(fnmatchcase(slug, budget.cell) for slug in slugs), budget.name
    commented = re.findall(
        r"(?:^# .*\n)+\[\[budget\]\]", (ROOT / "baselines/budgets.toml").read_text(), re.MULTILINE
    )
    assert len(commented) == len(budgets)
    for comment in commented:
        assert re.search(r"Seen to hold on .*\d{4}-\d\d-\d\d", comment, re.DOTALL), comment


def test_patterns_choose_the_series() -> None:
    assert budget().holds(series())
    assert budget(machine="epyc-*").holds(series())
    assert not budget(machine="jetson-*").holds(series())
    assert not budget().holds(series(cell="default"))
    assert not budget().holds(series(metric="rtf_median"))
    assert not budget().holds(series(suite="smoke2"))


def test_a_budget_that_matches_no_series_is_named() -> None:
    (line,) = unmatched([budget(), budget(machine="jetson-*")], [series()])

    assert line.startswith(
        "budget smoke / nfe_steps-* / rtf on jetson-* at most 0.3 matches no series"
    )
    assert "budgets.toml" in line


@pytest.mark.parametrize(
    ("values", "since"),
    [
        ((0.31,), "2026-11-01"),
        ((0.31, 0.31), "2026-11-01"),
        ((0.29, 0.31), None),
        ((0.30, 0.30, 0.30), None),  # at most
        ((0.2, 0.2, 0.2, 0.9), None),  # a bad night
        ((0.2, 0.2, 0.31, 0.31), None),
        ((0.2, 0.31, 0.31, 0.31), "2026-11-02"),
        ((0.2, 0.31, 0.31, 0.31, 0.2), "2026-11-02"),
        ((0.31, 0.2, 0.2, *[0.31] * 9), "2026-11-04"),
        ((0.2, 0.2, *[0.31] * 5, 0.29, *[0.31] * 9), "2026-11-03"),
        ((), None),
    ],
)
def test_a_budget_is_broken_by_more_than_half_of_the_last_four_nights(
    values: tuple[float, ...], since: str | None
) -> None:
    broken = broken_by([budget()], nights(*values))

    assert (broken and broken.since) == since


def test_the_budget_that_is_broken_most_is_given() -> None:
    tight = budget(0.2)

    broken = broken_by([budget(), tight, budget(0.5)], nights(*[0.4] * 4))

    assert broken is not None
    assert (broken.budget, broken.value) == (tight, 0.4)


def test_at_least_works_the_other_way() -> None:
    floor = budget(None, 3.0)

    assert broken_by([floor], nights(3.0, 3.1)) is None
    assert broken_by([floor], nights(2.9)) is not None
