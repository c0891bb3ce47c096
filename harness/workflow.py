"""
The stages in their order: measure a suite, score its audio, judge it, accept it, show it. Command
line and pytest both call these, so that there is one main job and not two.

Knows which folder is handed to whom; what happens inside a stage is the stage's own business.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.check_measurements import check_measurements
from voxgate.harness.analysis.grouping import Measurements
from voxgate.harness.audio.files import clip_loader
from voxgate.harness.audio.kept_audio import check_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.entry import entry_of_run
from voxgate.harness.history.records import HistoryEntry
from voxgate.harness.judging.accept import BaselineChange, accept
from voxgate.harness.judging.baseline import golden_dir, machine_id
from voxgate.harness.judging.confirm import confirmed, suspects
from voxgate.harness.judging.judge import incomplete, judge
from voxgate.harness.judging.speed_decision import (
    BASELINES,
    CheckInputs,
    SpeedDecision,
    judge_speed,
)
from voxgate.harness.machine import doctor
from voxgate.harness.machine.checks import check
from voxgate.harness.machine.clock import now_utc_iso
from voxgate.harness.machine.doctor import Examination
from voxgate.harness.machine.identity import machine
from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.machine.profiles import Profile, allowed_cpus, get_profile
from voxgate.harness.metrics.registry import check_selection
from voxgate.harness.records.files import write_file
from voxgate.harness.records.run import Run
from voxgate.harness.report.contents import GOLDEN, Report, build_report
from voxgate.harness.report.page import page
from voxgate.harness.runner import run_folder
from voxgate.harness.runner.progress import Progress
from voxgate.harness.runner.run_plan import RunPlan, command_line
from voxgate.harness.runner.runner import Outcome, run_suite
from voxgate.harness.scoring.asr_floor import Floor, floor_path, load_floor
from voxgate.harness.scoring.provenance import (
    confirms,
    is_scored,
    keep_scores,
    mark_confirming,
    records_digest,
    stamp_of,
)
from voxgate.harness.scoring.score_run import score_run
from voxgate.harness.scoring.transcription import check_engine
from voxgate.harness.suite.selection import select_cells

RUNS = Path("runs")
REPORTS = Path("reports")
CONFIRM = "confirm"
"""In the run folder: the run of fresh processes of the cells that looked slower."""
CONFIRM_ROUNDS = 4
"""
Fewer leave Student's t too few degrees of freedom to prove anything; more rounds follow while the
budget lasts.
"""
ScoreProgress = Callable[[int, int], None]
"""Called with (scores done, scores to compute)."""


def measure_suite(
    plan: RunPlan,
    progress: Progress | None = None,
    verb: str = "run",
    more: Callable[[Path], Collection[str]] | None = None,
    inputs: CheckInputs | None = None,
) -> Outcome:
    """
    Measure into a run folder; `more` is asked after the planned rounds which cells need another
    one.

    Raises HarnessError for anything that cannot be meant, before any work.
    """
    suite, folder = (inputs or CheckInputs(plan.suite)).suite, _folder(plan)
    check_selection(suite.metrics, suite.conditions)
    check_engine(suite.judge)
    outcome = run_suite(
        suite,
        select_cells(suite.expand(), plan.only),
        ready_profile(plan.profile),
        folder,
        repeats=plan.repeats,
        iterations=plan.iterations,
        timeout_s=plan.timeout_s,
        resume=plan.resume,
        progress=progress,
        command=command_line(plan, verb),
        more=None if more is None else lambda rounds: more(folder),
    )
    return replace(outcome, folder=short(outcome.folder))


def check_suite(
    plan: RunPlan,
    baselines: Path = BASELINES,
    policy: Path | None = None,
    progress: Progress | None = None,
    inputs: CheckInputs | None = None,
) -> Outcome:
    """
    Measure a suite until its speeds are decided or the time is up, and measure the cells that look
    slower again.

    What was measured is judged by `judge_run`; `inputs`, if any, are shared with it. Raises
    HarnessError as `measure_suite` does.
    """
    inputs = inputs or CheckInputs(plan.suite, baselines, policy)
    _ = inputs.limits  # a policy that cannot be read is told before any work
    decision = SpeedDecision(plan.budget_s, inputs)
    outcome = measure_suite(plan, progress, "check", decision.undecided, inputs)
    if outcome.interrupted:
        return outcome
    suspicious = suspects(decision.verdict(outcome.folder))
    if not suspicious:
        return outcome
    again = _measure_again(plan, outcome.folder, suspicious, progress, inputs)
    return replace(again, folder=outcome.folder)


def _measure_again(
    plan: RunPlan,
    folder: Path,
    slugs: Collection[str],
    progress: Progress | None,
    inputs: CheckInputs,
) -> Outcome:
    """
    Measure some cells of a run in fresh processes, into a folder of its own; what looked at other
    records is put away.
    """
    again = folder / CONFIRM
    if again.exists() and not ((again / "run.json").exists() and confirms(folder, again, slugs)):
        run_folder.put_folder_away(again)
    mark_confirming(folder, again, slugs)
    decision = SpeedDecision(plan.budget_s, inputs)
    return run_suite(
        inputs.suite,
        [cell for cell in inputs.suite.expand().cells if cell.slug in slugs],
        get_profile(plan.profile),
        again,
        repeats=CONFIRM_ROUNDS,
        iterations=plan.iterations,
        timeout_s=plan.timeout_s,
        resume=(again / "run.json").exists(),
        progress=progress,
        command=command_line(plan, "check", folder),
        more=lambda rounds: decision.undecided(again),
        energy=False,  # nothing is judged by it
        stages=False,
    )


def score(folder: Path, baselines: Path = BASELINES, progress: ScoreProgress | None = None) -> None:
    """
    Compute and keep the measurements of a run, unless those that are kept were made from just this
    (`scoring/provenance.py`).
    """
    run_folder.load_header(folder)  # before any file of it is opened, all of them were looked at
    records = records_digest(folder)
    run = _whole(folder)
    golden = golden_dir(baselines, run.suite)
    now = stamp_of(run, golden, records)
    if is_scored(folder, run, now):
        return
    check_audio(run)
    scores = score_run(run, golden, progress=progress)
    keep_scores(folder, aggregate(run, scores.values, versions=scores.versions), now, scores.heard)


def judge_run(
    folder: Path,
    baselines: Path = BASELINES,
    policy: Path | None = None,
    progress: ScoreProgress | None = None,
    inputs: CheckInputs | None = None,
) -> Report:
    """
    Judge a run against its baseline; score it first where needed.

    Reads nothing but data: whatever is needed of the suite stands in the run folder, so that a
    stranger's run can be judged.
    """
    run = _whole(folder)
    inputs = inputs or CheckInputs(baselines=baselines, policy=policy)
    limits, baseline = inputs.limits, inputs.baseline(run)
    score(folder, baselines, progress)
    measurements = _measurements(folder, run)
    run = replace(run, heard=run_folder.load_transcripts(folder))
    judgement = judge(run, measurements, baseline, limits)
    if (folder / CONFIRM / "complete").exists() and confirms(folder, folder / CONFIRM):
        _check_confirms(run, run_folder.load_run(folder / CONFIRM))
        judgement = confirmed(judgement, judge_speed(folder / CONFIRM, inputs), str(folder))
    if not run.complete:
        judgement = incomplete(judgement, str(folder))
    return build_report(run, measurements, judgement, _floor(run))


def entry_of(contents: Report) -> HistoryEntry:
    """Return the history entry of a judged run."""
    return entry_of_run(contents.run, contents.measurements, contents.judgement)


def remember(contents: Report, url: str) -> str:
    """
    Append a judged run to the history at a URL.

    Returns the reason where that fails, which changes neither verdict nor exit code; else "".
    """
    try:
        # half a second that most commands do not need
        from voxgate.harness.history.database import open_history
        from voxgate.harness.history.dates import check_time

        entry = entry_of(contents)
        check_time(entry.created, now_utc_iso())
        with open_history(url) as history:
            history.append(entry)
    except (
        Exception
    ) as error:  # a mistake of ours included: the run is measured and judged, that must not be lost
        return (
            "this run is not in the history: "
            f"{' '.join(str(error).split()) or type(error).__name__}"
        )
    return ""


def accept_run(
    folder: Path,
    why: str,
    baselines: Path = BASELINES,
    *,
    only: str | None = None,
    partial: bool = False,
    loaded: bool = False,
    progress: ScoreProgress | None = None,
) -> tuple[BaselineChange, ...]:
    """Make a run the baseline, or only its speed or its quality; return the changes."""
    score(folder, baselines, progress)
    run = _whole(folder)
    check_audio(run)
    measurements = _measurements(folder, run)
    return accept(run, measurements, why, baselines, only=only, partial=partial, loaded=loaded)


def write_page(contents: Report, path: Path, baselines: Path = BASELINES) -> Path:
    """Write the HTML page, whole or not at all. Raises HarnessError if it cannot be written."""
    check_audio(contents.run)
    load = clip_loader(contents.run, golden_dir(baselines, contents.run.suite), GOLDEN)
    text = page(contents, load)
    write_file(path, text, "choose another --out", parents=True)
    return path


def write_site(url: str, out: Path, baselines: Path = BASELINES) -> Path:
    """
    Write the site of a history; return its first page. Raises HarnessError as `build_site` does.
    """
    from voxgate.harness.history.database import open_existing
    from voxgate.harness.report.site.build import build_site

    with open_existing(url) as history:
        return build_site(history, out, baselines, now_utc_iso()[:10])


def examine(profile: str = DEFAULT_PROFILE) -> Examination:
    """
    Check whether this machine is fit for a profile. Raises HarnessError for an unknown profile.
    """
    chosen = get_profile(profile)
    cpus = allowed_cpus()
    cpu = cpus[-1] if chosen.pin and cpus else None
    name = str(machine()["id"])
    return doctor.examine(
        chosen.name, name, chosen.requires, check.here(), lambda: doctor.busy(cpu)
    )


def ready_profile(name: str) -> Profile:
    """
    Return a profile that this machine may measure under.

    Raises HarnessError for an unknown profile, or where the machine rules it out.
    """
    profile = get_profile(name)
    doctor.refuse_unfit(profile.name, profile.requires, check.here())
    return profile


def latest(folder: Path | None) -> Path:
    """
    Return the folder, or the latest run where none is named. Raises HarnessError without a run.
    """
    return folder if folder is not None else run_folder.latest_run_folder(RUNS)


def short(path: Path) -> Path:
    """Return a path relative to the working directory where it lies below that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _folder(plan: RunPlan) -> Path:
    if plan.out is not None:
        return plan.out
    return run_folder.latest_run_folder(RUNS) if plan.resume else run_folder.next_run_folder(RUNS)


def _whole(folder: Path) -> Run:
    """
    Read a run that is judged by itself. Raises HarnessError if its reference is none of its cells.
    """
    run = run_folder.load_run(folder)
    slugs = [cell.slug for cell in run.cells]
    if run.reference not in slugs:
        raise HarnessError(
            f"{folder}: the reference {run.reference!r} is none of its cells, which are "
            f"{', '.join(slugs)}"
        )
    return run


def _measurements(folder: Path, run: Run) -> Measurements:
    measurements = run_folder.load_measurements(folder)
    check_measurements(run, measurements)
    return measurements


def _check_confirms(run: Run, again: Run) -> None:
    """
    Raise HarnessError unless a run measured cells of another one again: same suite, profile and
    machine.
    """
    known = {cell.slug: cell.digest() for cell in run.cells}
    same = all(getattr(run, name) == getattr(again, name) for name in ("suite", "profile"))
    cells = all(known.get(cell.slug) == cell.digest() for cell in again.cells)
    if not (same and cells and machine_id(run) == machine_id(again)):
        raise HarnessError(f"{again.folder} measured something else than {run.folder}; remove it")


def _floor(run: Run) -> Floor | None:
    """
    Return the floor of a run's workload: beside its file in the project, else among the workloads
    of this package.
    """
    return load_floor(floor_path(run.workload or run.cells[0].workload.name))
