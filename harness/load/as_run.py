"""
Write a finished load test as a run, so that `gate`, `accept`, `report` and `history` read it like
any suite.

    runs/load/0001/run.json, processes/, complete     beside the load's own files

Each level of each cell becomes a cell, of the suite `<suite>.load`: its option `load` is the level.
Each repeat is a process, since each has a server of its own, or a turn of its own at a running one;
each complete response is an iteration. A level of which a request failed has failed. No audio is
kept, so that only speed is judged.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.judge_run import CheckInputs, scored_run
from voxgate.harness.load.plan import LEVEL, SUFFIX, Level, LoadPlan
from voxgate.harness.load.records import (
    LoadPhase,
    LoadRecord,
    ResponseRecord,
    Span,
    read_cell,
    read_header,
)
from voxgate.harness.records.cell import Cell, Option, cell_from_json
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.files import write_atomic
from voxgate.harness.records.run import Failure, FailureKind, Iteration, OptionCheck, Phase
from voxgate.harness.report.contents import Report, build_report
from voxgate.harness.runner.process_files import log_path
from voxgate.harness.runner.run_folder import create_run, mark_complete
from voxgate.harness.runner.run_header import RunHeader

NO_DIGEST = "0"
"""In place of the digest of audio that is not kept."""
LEAST_S = 1e-9
"""In place of a time below what the clock resolves."""


def load_cell(plan: LoadPlan, cell: Cell, level: Level) -> Cell:
    """Return the cell of a level: its options hold all that decides how hard the load is."""
    asked: dict[str, Option] = {
        "load_streamed": not plan.whole,
        "load_form": plan.form,
        **{f"load_{name}": value for name, value in plan.server.items()},
    }
    return replace(
        cell,
        suite=f"{cell.suite}{SUFFIX}",
        workload=replace(cell.workload, voices={}),
        fixed={**cell.fixed, **asked},
        axes={**cell.axes, LEVEL: level.label},
    )


def write_run(folder: Path, plan: LoadPlan, after: Mapping[str, object]) -> None:
    """
    Write the run of a load that was not interrupted; `after` joins its environment. Raises
    HarnessError if there is no room.
    """
    header = read_header(folder)
    cells = [cell_from_json(each) for each in header["cells"]]
    pairs = [
        (cell, level, load_cell(plan, cell, level)) for cell, level in product(cells, plan.levels)
    ]
    create_run(folder, _run_header(header, plan, [made for *_, made in pairs]))
    for cell, level, made in pairs:
        loaded = read_cell(folder, cell.slug)
        for repeat in range(plan.repeats):
            first = level == plan.levels[0]
            lines = _process(loaded, made, level, repeat, first=first)
            text = "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines)
            write_atomic(log_path(folder, made.slug, repeat), text)
    mark_complete(folder, after)


def judge_pair(base: Path, head: Path, baselines: Path, policy: Path | None) -> Report:
    """Judge the load in one folder against that in another, which was measured in turns with it."""
    (before, old), (now, new) = (scored_run(folder, baselines) for folder in (base, head))
    limits = CheckInputs(baselines=baselines, policy=policy).limits(now.suite)
    verdict = judge(now, new, of_run(before, old), limits, paired=True, base=before)
    return build_report(now, new, verdict, before=old, policy=limits)


def _run_header(header: Mapping[str, Any], plan: LoadPlan, cells: Sequence[Cell]) -> RunHeader:
    wanted = f"{header['reference']}.{LEVEL}-{plan.levels[0].label}"
    reference = wanted if wanted in {made.slug for made in cells} else cells[0].slug
    return RunHeader(
        suite=cells[0].suite,
        question=f"{plan.suite} under load",
        reference=reference,
        cells=tuple(cells),
        excluded={},
        profile=header["profile"],
        environment=environment_from_json(header["environment"]),
        created=header["created"],
        metrics=(),
        repeats=plan.repeats,
        iterations=1,
        command=header["command"],
    )


def _process(
    loaded: LoadRecord, made: Cell, level: Level, repeat: int, *, first: bool
) -> list[dict[str, object]]:
    """Return the lines of one repeat of one level; `first`: its server was just started."""
    answers = [answer for answer in loaded.answers if answer.repeat == repeat]
    server = next((each for each in loaded.servers if each.get("repeat", 0) == repeat), {})
    ready_s = server.get("ready_s")
    cold = [answer for answer in answers if answer.phase is LoadPhase.COLD and not answer.failure]
    own = [
        answer
        for answer in answers
        if answer.phase is LoadPhase.LOADED and answer.level == level.label
    ]
    told: Mapping[str, Option] = server.get("told", {})
    is_cold = first and ready_s is not None and bool(cold)
    times = {"import_s": 0.0, "load_s": ready_s or 0.0}
    lines: list[dict[str, object]] = [
        {"kind": "loaded", **times, "alone": is_cold, "effective": {**made.options, **told}},
        {"kind": "effects", "effects": [to_json(each) for each in _checks(made, told)]},
    ]
    samples = [(answer, Phase.FIRST) for answer in cold[:1] if is_cold]
    samples += [(answer, Phase.MEASURED) for answer in own if not answer.failure]
    for number, (answer, phase) in enumerate(samples):
        sample = _iteration(made.slug, repeat, number, answer, phase)
        lines.append({"kind": "sample", "sample": to_json(sample)})
    failure = _failure(loaded, own)
    if failure is not None:
        return [*lines, {"kind": "failure", "failure": to_json(failure)}]
    peak = _peak_bytes(loaded, level, repeat)
    return [*lines, {"kind": "finished", "peak_rss_bytes": peak, "peak_cuda_bytes": None}]


def _iteration(
    slug: str, repeat: int, number: int, answer: ResponseRecord, phase: Phase
) -> Iteration:
    wall_s = max(LEAST_S, answer.latency_s)
    wait_s = wall_s if answer.wait_s is None else min(wall_s, max(0.0, answer.wait_s))
    return Iteration(
        cell=slug,
        repeat=repeat,
        iteration=number,
        phase=phase,
        request=answer.request,
        wall_s=wall_s,
        audio_s=max(LEAST_S, answer.audio_s),
        first_audio_s=wait_s,
        stages_s={},
        audio_sha256=NO_DIGEST,
        audio_file=None,
    )


def _checks(made: Cell, told: Mapping[str, Option]) -> list[OptionCheck]:
    """Return each option with what the server tells of it; `load` itself is what was sent."""
    checks = []
    for name, value in made.options.items():
        sent = name == LEVEL or name.startswith(f"{LEVEL}_")
        known = sent or name in told
        checks.append(
            OptionCheck(
                option=name,
                requested=value,
                observed=str(value if sent else told.get(name, "not observable")),
                in_effect=(sent or told[name] == value) if known else None,
                reason="as it was sent" if sent else "as the server tells",
            )
        )
    return checks


def _failure(loaded: LoadRecord, own: Sequence[ResponseRecord]) -> Failure | None:
    """Return why a level has no answer, or not all of them; None where all came."""
    failed = [answer for answer in own if answer.failure]
    if not failed and own:
        return None
    if not own:
        return Failure(kind=FailureKind.ERROR, reason=loaded.failure or "no request was sent")
    kinds = {kind.value: kind for kind in FailureKind}
    kind = kinds.get(failed[0].failure, FailureKind.OTHER)
    text = f"{len(failed)} of {len(own)} requests failed: {failed[0].reason}"
    return Failure(kind=kind, reason=text)


def _peak_bytes(loaded: LoadRecord, level: Level, repeat: int) -> int | None:
    """Return the most memory of the server during a level; None where it is not ours."""
    spans: list[Span] = [
        span for span in loaded.spans if (span.level, span.repeat) == (level.label, repeat)
    ]
    sizes = [
        size
        for at_s, size in loaded.memory
        if any(span.began_s <= at_s <= span.ended_s for span in spans)
    ]
    return max(sizes, default=None)
