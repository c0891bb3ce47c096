"""The first words of the site."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from voxgate.harness.report.site.state import CellState, headline


@dataclass(frozen=True)
class Saying:
    state: str
    since: str = "2026-11-18"
    reason: str = "+6.1 % since 2026-11-18"
    counts: bool = True


def state(cell: str, saying: Saying, machine: str = "epyc") -> CellState:
    place = SimpleNamespace(suite="smoke", machine=machine)
    line = SimpleNamespace(series=SimpleNamespace(label=cell, metric="latency_p50"))
    return CellState(place=place, cell=cell, line=line, trend=saying)


def test_one_worse_cell_is_named_with_metric_size_date_and_machine() -> None:
    said = headline([state("nfe-8", Saying("worse")), state("nfe-4", Saying("steady"))])
    assert said.title == "1 of 2 cells is worse since 2026-11-18."
    assert said.kind == "bad"
    assert [(line.where, line.text) for line in said.lines] == [
        ("smoke / nfe-8", "on epyc: latency_p50 +6.1 % since 2026-11-18")
    ]


@pytest.mark.parametrize(
    ("states", "title"),
    [
        (
            [Saying("worse"), Saying("worse", since="2026-11-02")],
            "2 of 2 cells are worse since 2026-11-02 (the latest 2026-11-18).",
        ),
        (
            [
                Saying("worse"),
                Saying("over budget", since="2026-11-02"),
                Saying("no data", since="2026-11-15"),
            ],
            "1 of 3 cells is worse since 2026-11-18; 1 is over budget since 2026-11-02; 1 has no "
            "data since 2026-11-15.",
        ),
        ([Saying("steady"), Saying("better")], "Nothing is worse in 2 cells on 1 machine."),
        (
            [Saying("no data", since="2026-11-15"), Saying("steady")],
            "Nothing is worse in 2 cells on 1 machine; 1 has no data since 2026-11-15.",
        ),
        ([Saying("too few")], "Nothing can be said yet: 1 cell, none with enough nights."),
    ],
)
def test_first_sentence_counts_what_is_bad_and_then_what_is_silent(
    states: list[Saying], title: str
) -> None:
    assert (
        headline([state(str(number), saying) for number, saying in enumerate(states)]).title
        == title
    )


def test_cell_that_is_worse_on_two_machines_counts_once() -> None:
    said = headline([state("a", Saying("worse"), "epyc"), state("a", Saying("worse"), "jetson")])
    assert said.title.startswith("1 of 1 cell is worse")
    assert len(said.lines) == 2


def test_what_is_silent_is_located_and_what_is_better_is_news() -> None:
    said = headline(
        [state("a", Saying("no data")), state("b", Saying("better")), state("c", Saying("steady"))]
    )
    assert said.kind == "open"
    assert [line.text for line in said.lines] == [
        "on epyc: latency_p50 +6.1 % since 2026-11-18",
        "no data: smoke on epyc",
    ]


def test_long_lists_are_cut_and_counted() -> None:
    said = headline([state(str(number), Saying("worse")) for number in range(9)])
    assert len(said.lines) == 6
    assert said.lines[-1].text == "and 4 more, in the table"
