"""The pages of load, selftest and doctor, as a browser's parser sees them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.load.making import answer, loaded
from tests.harness.report.making import HOSTILE
from tests.harness.report.parsing import Page
from voxgate.harness.load.page import load_page
from voxgate.harness.load.records import Span
from voxgate.harness.load.report import CellReport, LoadReport
from voxgate.harness.load.summary import memories, rows
from voxgate.harness.machine.checks.check import CheckResult, CheckState
from voxgate.harness.machine.doctor import CheckedRequirement, Examination, Requirement
from voxgate.harness.report.doctor_page import doctor_page
from voxgate.harness.report.verb_page import verb_page, write_verb_page


def of_load(limit_s: float | None = 0.5) -> LoadReport:
    """One server that speaks two requests at once, under 1, 2, 4 and 8 clients."""
    answers, spans = [], []
    for number, (clients, latency_s) in enumerate(((1, 0.1), (2, 0.11), (4, 0.21), (8, 0.8))):
        level, began_s = f"closed-{clients}", 100.0 * number
        each_s = latency_s / clients
        answers += [
            answer(began_s + n * each_s, latency_s, level=level, length="short")
            for n in range(round(10.0 / each_s))
        ]
        spans.append(Span(level=level, began_s=began_s, ended_s=began_s + 10.0))
    record = replace(
        loaded(answers, 10.0),
        spans=tuple(spans),
        memory=((0.0, 2**28), (5.0, 2**29), (50.0, 2**28)),
    )
    cell = CellReport(
        slug="nfe-8",
        loaded=record,
        rows=rows(record, limit_s),
        memories=memories(record),
        cold=None,
        drifts=(),
        late_s=0.0,
    )
    return LoadReport(
        folder="runs/load/0001", suite="s", machine="box", limit_s=limit_s, cells=(cell,)
    )


def of_doctor(*states: CheckState, text: str = "load 3") -> Examination:
    return Examination(
        profile="cpu-gate",
        machine="box",
        findings=tuple(
            CheckedRequirement(
                requirement=Requirement(check="load"),
                answer=CheckResult(state=state, shown=text),
                expects="a load below 0.5",
                advice="" if state is CheckState.FIT else "top -o %CPU",
            )
            for state in states
        ),
    )


@pytest.fixture(scope="module")
def load() -> Page:
    return Page(verb_page(load_page(of_load())))


def test_a_load_is_drawn_with_its_knee_and_its_figures_stand_below(load: Page) -> None:
    text = load.text()
    assert "Knee at 2 clients" in text
    assert "95 % within 500 ms up to 4" in text
    assert "FAILED Not every request was answered in time." in text
    assert "closed-8" in text and "goodput/s" in text
    assert "Memory of the server of nfe-8, MiB" in text
    drawn = [each for each in load.all("svg") if each.get("role") == "img"]
    assert len(drawn) == 2
    assert "closed-4: p95 210 ms" in (drawn[0]["aria-label"] or "")


def test_a_load_of_one_level_has_no_curve() -> None:
    report = of_load(None)
    (cell,) = report.cells
    one = replace(report, cells=(replace(cell, rows=cell.rows[:1]),))
    found = Page(verb_page(load_page(one)))
    assert not [each for each in found.all("svg") if each.get("role") == "img"]
    assert "FINE Every request was answered." in found.text()
    assert (
        "100 ms p50 of the latency 100 ms p95 of the latency 10 answers per second at"
        in " ".join(found.text().split())
    )


def test_the_page_runs_and_loads_nothing_foreign(load: Page) -> None:
    assert load.open == []
    assert "style" not in load.attribute_names()
    assert all(url.startswith(("#", "data:")) for url in load.addresses())
    assert len(load.all("table")) == len(load.all("caption"))


def test_a_machine_that_is_not_fit_is_told_what_to_do() -> None:
    found = Page(verb_page(doctor_page(of_doctor(CheckState.UNFIT, CheckState.FIT))))
    text = found.text()
    assert "NOT FIT This machine is not fit to measure." in text
    assert "top -o %CPU" in text
    assert "look again: voxgate doctor --profile cpu-gate" in text
    assert text.index("To set right") < text.index("In order, or not needed")


def test_a_fit_machine_needs_no_advice() -> None:
    text = Page(verb_page(doctor_page(of_doctor(CheckState.FIT)))).text()
    assert "FIT This machine is fit to measure." in text
    assert "look again" not in text and "To set right" not in text


def test_hostile_text_of_a_machine_stays_text() -> None:
    found = Page(verb_page(doctor_page(of_doctor(CheckState.UNFIT, text=HOSTILE))))
    assert not [each for each in found.all("img") if each.get("src") == "x"]
    assert '<script>alert("x")</script>' in found.text()


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    write_verb_page(doctor_page(of_doctor(CheckState.FIT)), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
