"""
The selftest of speed from end to end on the scripted engine: real processes, virtual time, every
stage of the way.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from voxgate.harness.cli import machine_verbs
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.report.badges import Badge
from voxgate.harness.report.verb_page import VerbPage
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import Silent
from voxgate.harness.selftest import command as told
from voxgate.harness.selftest import cpu_load, speed_run
from voxgate.harness.selftest.command import Interrupted, SelftestReport, report_speed
from voxgate.harness.selftest.speed import speed_selftest
from voxgate.harness.selftest.speed_plan import SelftestPlan, command
from voxgate.harness.selftest.speed_result import Trust
from voxgate.harness.selftest.speed_run import until

SUITE = """
from voxgate import Suite
suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [8, 4]}, reference={"steps": 8},
              fixed={"audio_s": 0.1}, iterations=4)
"""  # noqa: E501
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n\n[[request]]\nid = "r2"\ntext = "Two."\n'
QUESTION = SelftestPlan(
    suite="two",
    profile="cpu-gate",
    minutes=1.0,
    only=("steps-4",),
    sizes=(0.2,),
    equals=2,
    out=Path("out"),
)


def rounds_only(count: int) -> Callable[..., Callable[[int], tuple[str, ...]]]:
    """In place of the clock: so many rounds, and no more."""
    return lambda budget_s, begun, slugs, clock: (
        lambda rounds: tuple(slugs) if rounds < count else ()
    )


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.py").write_text(SUITE)
    (tmp_path / "two.toml").write_text(WORKLOAD)
    return tmp_path


def test_it_measures_in_turns_is_interrupted_and_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_run, "until", rounds_only(3))
    first = speed_selftest(QUESTION, Silent())
    assert isinstance(first, Trust)
    assert first.fit.status == "undecided"
    assert first.setup.costs["steps-4"].request_s == pytest.approx({"r1": 0.1, "r2": 0.1})
    assert first.setup.slow_down(0.2).units == {"steps-4": {"r1": 200, "r2": 200}}
    monkeypatch.setattr(speed_run, "until", rounds_only(8))
    onwards = replace(QUESTION, only=(), sizes=(), resume=True)
    found = speed_selftest(onwards, Silent())
    assert isinstance(found, Trust)
    assert [(each.size, each.flagged.count, each.flagged.total) for each in found.sizes] == [
        (0.0, 0, 2),
        (0.2, 4, 4),
    ]
    assert [each.real for each in found.sizes] == pytest.approx([0.0, 0.2])
    assert (
        run_folder.load_header(Path("out/slower-20")).cells
        == run_folder.load_header(Path("out/equal-1")).cells
    )
    again = speed_selftest(replace(onwards, minutes=0.0), Silent())
    assert isinstance(again, Trust)
    assert again == found, "judged again without measuring"
    with pytest.raises(HarnessError, match="holds a selftest; continue it with --resume"):
        speed_selftest(QUESTION, Silent())
    with pytest.raises(
        HarnessError,
        match=r"begun otherwise \(loaded False against True; sizes \(0.2,\) against \(0.1,\); "
        r"--only\)",
    ):
        speed_selftest(replace(QUESTION, resume=True, loaded=True, sizes=(0.1,)), Silent())


def test_a_suite_without_the_stage_fails_in_every_cell_and_says_which_there_are(
    project: Path,
) -> None:
    with pytest.raises(
        HarnessError,
        match=r"no cell can be measured; .*: refused: .* no stage 'vocodr' to slow down",
    ):
        speed_selftest(replace(QUESTION, stage="vocodr"), Silent())


@pytest.mark.parametrize(
    ("engine", "stage"), [({}, "acoustic"), ({"*": {"slower": 2.0, "stage": "text"}}, "text")]
)
def test_the_work_is_added_where_most_of_the_time_goes(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: Callable[[object], None],
    engine: object,
    stage: str,
) -> None:
    monkeypatch.setattr(speed_run, "until", rounds_only(1))
    script(engine)
    found = speed_selftest(QUESTION, Silent())
    assert isinstance(found, Trust)
    assert (found.setup.stage, found.setup.left_out) == (stage, {})
    with pytest.raises(HarnessError, match=f"begun otherwise .stage {stage} against vocoder"):
        speed_selftest(replace(QUESTION, only=(), sizes=(), stage="vocoder", resume=True), Silent())


def test_rounds_are_asked_for_as_long_as_one_more_is_likely_to_fit() -> None:
    clock = VirtualClock()
    more = until(100.0, lambda: 2, ("a", "b"), clock)
    assert more(1) == ("a", "b"), "begun before an interruption"
    for rounds in (3, 4, 5):
        clock.advance(25.0)
        assert more(rounds) == ("a", "b")
    clock.advance(1.0)
    assert more(6) == ("a", "b")
    clock.advance(20.0)
    assert more(6) == (), "five rounds of this pace are more than the time"


def test_the_command_that_goes_on_names_the_folder() -> None:
    line = command(replace(QUESTION, loaded=True, minutes=7.5))
    assert (
        line == "voxgate selftest two --profile cpu-gate --minutes 7.5 --loaded --resume --out out"
    )


def test_interrupted_it_says_how_to_go_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "speed_selftest", lambda question, progress: None)
    found = report_speed(QUESTION, Silent())
    assert isinstance(found, Interrupted)
    assert found.advice == f"nothing measured is lost, continue with: {command(QUESTION)}"


@pytest.fixture(name="answered")
def _answered(monkeypatch: pytest.MonkeyPatch) -> list[SelftestPlan]:
    """The command line gets an answer without measuring; the questions that it asked are kept."""
    asked: list[SelftestPlan] = []
    answer = SelftestReport(
        text="a table\n\nFIT to gate",
        markdown="**FIT to gate**\n",
        document={"fit": "fit"},
        exit_code=3,
        page=VerbPage(
            title="selftest",
            crumb="voxgate",
            mark=Badge(word="FIT", kind="good"),
            heading="Fit to gate.",
            line="",
            tiles=(),
            facts=(),
            parts=(),
        ),
    )

    def report(question: SelftestPlan, *_: object, **__: object) -> SelftestReport | Interrupted:
        asked.append(question)
        return Interrupted(advice="go on") if question.suite == "stopped" else answer

    monkeypatch.setattr(machine_verbs, "report_speed", report)
    monkeypatch.setattr(machine_verbs, "report_quality", report)
    return asked


def test_the_command_line_prints_the_verdict_last_and_ends_with_its_code(
    answered: list[SelftestPlan], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        invoke(["selftest", "--size", "5", "--size", "7.5", "--only", "a*", "--minutes", "2"]) == 3
    )
    assert capsys.readouterr().out.splitlines()[-1] == "FIT to gate"
    (asked,) = answered
    assert (asked.suite, asked.minutes, asked.only, asked.profile) == (
        "smoke",
        2.0,
        ("a*",),
        "cpu-gate",
    )
    assert asked.sizes == pytest.approx((0.05, 0.075))


def test_the_command_line_prints_markdown_or_json(
    answered: list[SelftestPlan], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["selftest", "--quality", "--markdown"]) == 3
    assert capsys.readouterr().out == "**FIT to gate**\n"
    assert invoke(["selftest", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"fit": "fit"}


def test_the_command_line_ends_with_130_when_stopped(
    answered: list[SelftestPlan], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["selftest", "stopped"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted; go on"


def test_a_neighbour_lives_as_long_as_it_is_wanted() -> None:
    before = children()
    with cpu_load.neighbour(True):
        assert len(children() - before) == 1
    assert children() == before
    with cpu_load.neighbour(False):
        assert children() == before


def test_a_neighbour_ends_when_its_parent_does() -> None:
    assert cpu_load.main(["1" if os.getppid() != 1 else "2"]) == 0


def children() -> set[str]:
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}
