"""
The pytest adaptor: `pytest suites/` measures every suite that it collects, each cell a test.

Measuring happens in child processes, once per suite, when the first of its tests is due; the tests
only read the verdicts. pytest-benchmark gets the measured times replayed, so that its table, JSON
and histogram work. In other people's test runs this does nothing: it looks only at `suites/*.py`
that define `suite = Suite(...)`, and imports the pipeline only then.

The exit code is pytest's own, except 2 for wrong configuration or an accident of ours, and 3 where
nothing failed and something is undecided.
"""

import re
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from voxgate.harness.errors import HarnessError, debugging, error_text
from voxgate.harness.records.cell import Cell
from voxgate.harness.suite.suite import FOLDER, load_suite

if TYPE_CHECKING:
    from voxgate.harness.records.verdict import CellVerdict
    from voxgate.harness.report.contents import Report

DEFINES_SUITE = re.compile(r"^suite(\s*:[^=]+)?\s*=\s*(\w+\.)?Suite\(", re.MULTILINE)
WRONG, UNDECIDED = 2, 3
FAILING = ("REGRESSED", "FAILED")
DECIDED = ("PASS", "IMPROVED", *FAILING)
VERDICT = "voxgate"
"""Under this name a test's report carries its verdict."""


class Replay:
    """
    A clock that tells measured times again: `play` takes exactly as long as the iteration it stands
    for.
    """

    def __init__(self) -> None:
        self.__name__ = "voxgate"  # named in pytest-benchmark's JSON, in place of a memory address
        self._left: Iterator[float] = iter(())
        self._now_s = 0.0

    def load(self, seconds: list[float]) -> None:
        """Set what will be played."""
        self._left = iter(seconds)

    def __call__(self) -> float:
        """Read the clock, in seconds."""
        return self._now_s

    def rewind(self) -> None:
        """Start from zero, so that no rounding of a sum enters the next difference."""
        self._now_s = 0.0

    def play(self) -> None:
        """Let the next iteration's time pass."""
        self._now_s += next(self._left, 0.0)


class SuiteFile(pytest.Module):
    """A suite; pytest's own collecting and importing of the module is replaced."""

    contents: "Report | None" = None

    def _getobj(self) -> ModuleType:
        return ModuleType(self.path.stem)

    def collect(self) -> Iterator["CellItem"]:
        """Yield one test per cell. Raises CollectError, which makes pytest end with code 2."""
        from voxgate.harness.machine.profiles import get_profile
        from voxgate.harness.scoring.score_run import check_scoring
        from voxgate.harness.targets.registry import check_cells

        try:
            check_alone(self.config)
            get_profile(profile_of(self.config))
            suite = load_suite(self.path)
            cells = suite.expand().cells
            check_cells(cells)
            check_scoring(suite)
        except HarnessError as error:
            raise self.CollectError(f"voxgate: {error}") from error
        except Exception as error:
            raise self.CollectError(_line_of(error)) from error
        for cell in cells:
            yield CellItem.make(self, cell)

    def judged(self) -> "Report":
        """
        Return the judgement of the suite. The first call measures the cells of this session.
        """
        if self.contents is None:
            slugs = tuple(
                item.cell.slug
                for item in self.session.items
                if isinstance(item, CellItem) and item.parent is self
            )
            capture = self.config.pluginmanager.getplugin("capturemanager")
            try:
                if capture is None:
                    self.contents = measure_and_judge(self.path, slugs, self.config)
                else:
                    with capture.global_and_fixture_disabled():
                        self.contents = measure_and_judge(self.path, slugs, self.config)
            except HarnessError as error:
                pytest.exit(f"voxgate: {error}", returncode=WRONG)
            except pytest.exit.Exception:
                raise
            except Exception as error:
                pytest.exit(_line_of(error), returncode=WRONG)
        return self.contents


class CellItem(pytest.Function):
    """A test that reads the verdict of its cell."""

    cell: Cell
    replay: Replay

    @classmethod
    def make(cls, parent: SuiteFile, cell: Cell) -> "CellItem":
        """Make the test of a cell; with pytest-benchmark it asks for its fixture."""
        benched = parent.config.pluginmanager.hasplugin("benchmark")
        item: CellItem = cls.from_parent(
            parent, name=cell.slug, callobj=read_and_replay if benched else read
        )
        item.cell, item.replay = cell, Replay()
        if benched:
            item.add_marker(pytest.mark.benchmark(timer=item.replay, group=cell.suite))
            # a cell without a time
            item.add_marker(pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"))
        return item

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the suite's file and the cell."""
        return self.path, 0, self.cell.label


def check_alone(config: pytest.Config) -> None:
    """
    Raise HarnessError in a process of pytest-xdist: every one of them would measure every cell, and
    disturb the others.
    """
    if hasattr(config, "workerinput"):
        raise HarnessError(
            "cells are measured in turns, and pytest-xdist would measure them all in each of its "
            "processes; add -n 0"
        )


def read(request: pytest.FixtureRequest) -> None:
    """Fail if the cell did."""
    item = request.node
    verdict = verdict_of(item)
    item.user_properties.append((VERDICT, verdict.verdict.value))
    strict = bool(item.config.getoption("voxgate_strict"))
    if verdict.verdict in FAILING or (strict and verdict.verdict not in DECIDED):
        # no line of Python is at fault
        pytest.fail(f"{verdict.verdict} {verdict.label}: {verdict.reason}", pytrace=False)


def read_and_replay(request: pytest.FixtureRequest, benchmark: Any) -> None:
    """
    Hand the measured times to pytest-benchmark, with what it has no column for, then do as `read`
    does.
    """
    item = request.node
    times_s, info = item.parent.judged().times_and_summaries(item.cell.slug)
    benchmark.extra_info.update(info, verdict=verdict_of(item).verdict.value)
    if times_s:
        item.replay.load(times_s)
        benchmark.pedantic(item.replay.play, setup=item.replay.rewind, rounds=len(times_s))
    read(request)


def verdict_of(item: CellItem) -> "CellVerdict":
    """Find the verdict on a test's cell."""
    assert isinstance(item.parent, SuiteFile), "cells are collected from suites only"
    cells = item.parent.judged().judgement.cells
    return next(each for each in cells if each.cell == item.cell.slug)


def measure_and_judge(path: Path, slugs: tuple[str, ...], config: pytest.Config) -> "Report":
    """Do the main job for some cells of a suite. Ends the session if it is interrupted."""
    from voxgate.harness import workflow
    from voxgate.harness.judging.judge_run import CheckInputs
    from voxgate.harness.machine.git import trouble
    from voxgate.harness.records.files import short
    from voxgate.harness.report.page import write_page
    from voxgate.harness.runner.progress import measuring_progress
    from voxgate.harness.runner.run_plan import BUDGET_S, RunPlan, command_line

    plan = RunPlan(
        suite=str(short(path)),
        profile=profile_of(config),
        only=slugs,
        repeats=config.getoption("voxgate_repeats"),
        iterations=config.getoption("voxgate_iterations"),
        budget_s=BUDGET_S if (given := config.getoption("voxgate_budget")) is None else given,
    )
    baselines = Path(config.getoption("voxgate_baselines"))
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and (why := trouble(Path.cwd())):
        reporter.write_line(f"voxgate: {why}; the run will name no commit")
    inputs = CheckInputs(plan.suite, baselines)
    outcome = workflow.check_suite(plan, progress=measuring_progress(), inputs=inputs)
    if outcome.interrupted:
        pytest.exit(
            f"interrupted; continue with: {command_line(plan, 'check', outcome.folder)}",
            returncode=130,
        )
    contents = workflow.judge_run(outcome.folder, baselines, inputs=inputs)
    write_page(contents, workflow.REPORTS / f"{contents.run.suite}.html", baselines)
    lost = workflow.remember(contents)
    if lost and reporter is not None:
        reporter.write_line(f"voxgate: {lost}")
    return contents


def profile_of(config: pytest.Config) -> str:
    """Return the requested profile, or the default."""
    from voxgate.harness.machine.profiles import DEFAULT

    return str(config.getoption("voxgate_profile") or DEFAULT)


def _line_of(error: Exception) -> str:
    """
    Return one line on an exception that was not foreseen, as the command line does; raises it where
    that is asked for.
    """
    if debugging():
        raise error
    return f"voxgate: {error_text(error)}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options; `--profile` is left to pytest-profiling where that is installed."""
    group = parser.getgroup("voxgate", "voxgate: suites of a voice engine")
    names = ["--voxgate-profile", *([] if find_spec("pytest_profiling") else ["--profile"])]
    group.addoption(
        *names, dest="voxgate_profile", metavar="P", help="kind of device to measure on"
    )
    group.addoption(
        "--voxgate-strict",
        action="store_true",
        dest="voxgate_strict",
        help="fail cells that are undecided",
    )
    group.addoption(
        "--voxgate-repeats",
        type=int,
        dest="voxgate_repeats",
        metavar="N",
        help="fresh processes per cell",
    )
    group.addoption(
        "--voxgate-iterations",
        type=int,
        dest="voxgate_iterations",
        metavar="N",
        help="passes per process",
    )
    group.addoption(
        "--voxgate-budget",
        type=float,
        dest="voxgate_budget",
        metavar="SECONDS",
        help="for undecided cells",
    )
    group.addoption(
        "--voxgate-baselines",
        default="baselines",
        dest="voxgate_baselines",
        metavar="DIR",
        help="baselines",
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
    """Collect `suites/*.py` that define a suite."""
    if file_path.suffix != ".py" or file_path.parent.name != FOLDER:
        return None
    try:
        text = file_path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # pytest itself says of a file that it cannot read
        return None
    if not DEFINES_SUITE.search(text):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Let a test's report carry the verdict, for its letter and the exit code."""
    outcome = yield
    if isinstance(item, CellItem):
        outcome.get_result().voxgate = dict(item.user_properties).get(VERDICT)


def pytest_report_teststatus(report: Any) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Show an undecided cell as neither passed nor failed."""
    verdict = getattr(report, VERDICT, None)
    if verdict is None or verdict in DECIDED or report.when != "call" or report.failed:
        return None
    return "undecided", "u", (verdict, {"yellow": True})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End with 3 where nothing failed, but something could not be decided."""
    verdicts = [
        dict(item.user_properties).get(VERDICT)
        for item in session.items
        if isinstance(item, CellItem)
    ]
    if exitstatus == 0 and any(
        verdict is not None and verdict not in DECIDED for verdict in verdicts
    ):
        session.exitstatus = UNDECIDED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table of every suite that was measured."""
    items = getattr(terminalreporter._session, "items", [])
    parents = dict.fromkeys(item.parent for item in items if isinstance(item, CellItem))
    for suite in parents:
        if isinstance(suite, SuiteFile) and suite.contents is not None:
            try:
                print_suite(terminalreporter, suite.contents)
            except Exception as error:
                pytest.exit(_line_of(error), returncode=WRONG)


def print_suite(terminalreporter: Any, contents: "Report") -> None:
    """Print one suite's table and verdict."""
    from voxgate.harness.report.terminal import report_lines

    terminalreporter.section(f"voxgate {contents.run.suite}")
    page = f"reports/{contents.run.suite}.html"
    for line in report_lines(contents, max(80, terminalreporter._tw.fullwidth), page):
        terminalreporter.write_line(line.plain)
    terminalreporter.write_line(contents.judgement.line)
