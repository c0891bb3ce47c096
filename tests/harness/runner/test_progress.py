import io

import pytest
from rich.console import Console

from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.runner.progress import (
    Bar,
    Cautioned,
    Lines,
    TimeEstimate,
    left,
    make_progress,
    score_progress,
)


def test_lines_come_at_most_every_ten_seconds() -> None:
    out, clock = io.StringIO(), VirtualClock()
    lines = Lines(out, clock)
    lines.start(6)
    for number in range(6):
        clock.advance(4.0)
        lines.step(f"cell-{number}", None if number < 3 else 65.0)
    lines.end()
    assert out.getvalue().splitlines() == [
        "measuring 0/6 (0 s elapsed)",
        "measuring 3/6 cell-2 (12 s elapsed)",
        "measuring 6/6 1 m 05 s left cell-5 (24 s elapsed)",
        "measuring 6/6 done (24 s elapsed)",
    ]


def test_every_phase_is_shown_in_a_log_with_the_time_since_the_command_began() -> None:
    out, clock = io.StringIO(), VirtualClock()
    lines = Lines(out, clock)
    lines.start(2)
    for number in (1, 2):
        lines.phase(f"measuring round {number} of 2")
        clock.advance(70.0)
        lines.step("cell", None)
    lines.end()
    show = score_progress(lines, "judging")
    for done in (1, 2):
        clock.advance(1.0)
        show(done, 2)
    lines.end()
    assert out.getvalue().splitlines() == [
        "measuring 0/2 (0 s elapsed)",
        "measuring round 1 of 2 0/2 (0 s elapsed)",
        "measuring round 1 of 2 1/2 cell (1 m 10 s elapsed)",
        "measuring round 2 of 2 1/2 (1 m 10 s elapsed)",
        "measuring round 2 of 2 2/2 cell (2 m 20 s elapsed)",
        "measuring round 2 of 2 2/2 done (2 m 20 s elapsed)",
        "scoring 0/2 (2 m 21 s elapsed)",
        "scoring 2/2 done (2 m 22 s elapsed)",
        "judging (2 m 22 s elapsed)",
    ]


def test_a_busy_machine_is_told_once_and_before_anything_is_measured() -> None:
    out, looks = io.StringIO(), iter(["this machine is busy", "of our own work"])
    display = Cautioned(Lines(out, VirtualClock()), lambda: next(looks), out)
    assert out.getvalue() == ""
    for _ in range(2):
        display.start(1)
        display.end()
    assert out.getvalue().splitlines()[:2] == [
        "voxgate: this machine is busy",
        "measuring 0/1 (0 s elapsed)",
    ]
    assert out.getvalue().count("busy") == 1 and "our own work" not in out.getvalue()


def test_the_bar_shows_count_time_left_and_cell() -> None:
    out = io.StringIO()
    clock = VirtualClock()
    bar = Bar(Console(file=out, force_terminal=True, width=120), clock)
    bar.start(3)
    bar.phase("measuring round 1 of 3")
    clock.advance(65.0)
    bar.step("nfe_steps-8", 12.0)
    bar.end()
    shown = ("round 1 of 3", "1/3", "1 m 05 s elapsed", "12 s left", "nfe_steps-8")
    assert all(part in out.getvalue() for part in shown)


def test_a_log_gets_lines_and_a_terminal_a_bar() -> None:
    assert isinstance(make_progress(lambda: True), Bar)
    assert isinstance(make_progress(lambda: False), Lines)


def test_the_time_left_is_foretold_per_kind_of_step() -> None:
    pace = TimeEstimate({"prepare": 2, "measure": 11})
    pace.done("prepare", 5.0)
    assert pace.eta_s() is None
    pace.done("measure", 1.0)
    assert pace.eta_s() == pytest.approx(5.0 + 10 * 1.0)
    pace.skip("measure", 4)
    assert pace.eta_s() == pytest.approx(5.0 + 6 * 1.0)


@pytest.mark.parametrize(
    ("eta_s", "said"), [(None, ""), (0.4, "0 s left"), (59.4, "59 s left"), (60.0, "1 m 00 s left")]
)
def test_time_left_is_said_for_people(eta_s: float | None, said: str) -> None:
    assert left(eta_s) == said
