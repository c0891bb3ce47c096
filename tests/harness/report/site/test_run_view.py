"""A run of the history, as the page of a run shows it."""

import pytest

from tests.harness.fake_runs import policy
from tests.harness.report.planted import HISTORIES, NFE4, NFE8, TODAY, XEON, nights
from voxgate.harness.history.database import open_history
from voxgate.harness.report.run_page import RunPage, run_page
from voxgate.harness.report.site.history_view import LoadedHistory, make_book
from voxgate.harness.report.site.run_view import record


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> RunPage:
    """The last of twenty nights of one suite on one machine."""
    entries = [
        each
        for each in nights(HISTORIES["two-causes-among-flukes"])
        if each.machine == XEON and each.suite == "smoke"
    ]
    with open_history(f"sqlite:///{tmp_path_factory.mktemp('history') / 'h.sqlite'}") as opened:
        for entry in entries[-20:]:
            opened.append(entry)
        book = make_book(LoadedHistory(opened, TODAY))
    return run_page(record(book, book.places[0], policy(), ()))


def test_the_page_of_a_night_tells_what_got_worse_by_how_much_and_since_when(
    shown: RunPage,
) -> None:
    assert shown.meaning == "2 things got worse."
    assert [(cause.sentence, cause.since) for cause in shown.causes] == [
        ("pesq 0.33 MOS-LQO lower (limit 0.15 MOS-LQO)", "since 2026-11-23, 7 runs in a row"),
        ("8 % slower (limit 5 %). Also p95, rtf", "since 2026-11-18, 12 runs in a row"),
    ]
    assert [[each.cell.slug for each in cause.cells] for cause in shown.causes] == [[NFE4], [NFE8]]
    assert ["memory" in cause.sentence for cause in shown.further] == [True]


def test_its_cells_have_their_change_and_the_value_that_broke_its_limit(shown: RunPage) -> None:
    changes = {each.cell.slug: each.cell.change for each in shown.cells}
    slower, muffled = changes[NFE8], changes[NFE4]
    assert slower is not None and muffled is not None
    assert (slower.arrow, slower.size, slower.limit) == ("▲", "+8.0 %", "5 %")
    assert (muffled.arrow, muffled.size) == ("▼", "-0.33 MOS-LQO")
    titles = [column.title for column in shown.record.columns]
    broken = {
        each.cell.slug: [titles[at] for at, value in enumerate(each.values) if value.is_broken]
        for each in shown.cells
    }
    assert broken[NFE8] == ["p50 ms", "p95 ms", "rtf"]
    assert broken[NFE4] == ["pesq"]


def test_what_it_was_compared_with_follows_from_its_shift(shown: RunPage) -> None:
    cell = next(each for each in shown.cells if each.cell.slug == NFE4)
    pesq = next(each for each in cell.metrics if each.name == "pesq")
    assert (pesq.value, pesq.baseline) == ("2.98", "3.31")


def test_what_deviates_is_unfolded_and_all_else_waits(shown: RunPage) -> None:
    assert [each.is_open for each in shown.cells] == [False, True, True]
    folded = {each.name: each.is_folded(shown.record) for each in shown.sections}
    assert (folded["cells"], folded["tradeoff"], folded["stages"]) == (False, True, True)
