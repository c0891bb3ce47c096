"""
Seconds by stage, and the stage that explains a change of latency. Decides nothing.

Two sides are compared stage by stage: the same request in the same round and pass where both were
measured in turns, so that interference with both cancels; the medians of both sides where a stored
baseline keeps no more.

The stage profiles of a cell's processes become helpers, one list of seconds per process:

    synced.vocoder       a stage of the profiled synthesis, the device synchronised at both ends
    synced.unaccounted   seconds of that synthesis beyond its stages
    alone.vocoder        the model of a stage in isolation, each time that it ran

They are stored beside the times of the stages in the whole synthesis, shown next to them, and never
judged. The version of isolated times names the amount of work, so that a call of two seconds of
speech is not mistaken for a quicker one of six: other work is another quantity.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from voxgate.harness.machine.interference import interference_causes
from voxgate.harness.records.measurement import MetricVersion
from voxgate.harness.records.run import Phase, ProcessRecord, Run, StageProfile, StageWork

Position = tuple[int, str, int]
"""Round, request, pass."""
Stages = Mapping[str, float]
"""Seconds by stage."""


def moved_stage(pairs: Iterable[tuple[Stages, Stages]]) -> str:
    """
    Return the stage that grew most between before and now, empty where `stage_facts` is.

    >>> moved_stage([({"text": 0.1, "vocoder": 1.0}, {"text": 0.1, "vocoder": 1.5})])
    'vocoder +50 % is 100 % of it'
    """
    return " is ".join(stage_facts(pairs))


def stage_facts(pairs: Iterable[tuple[Stages, Stages]]) -> tuple[str, ...]:
    """
    Return the stage that grew most with its growth, and its share: `vocoder +31 %`, `97 % of it`.

    Empty where nothing grew, or no stage is known. A stage's change is the median of its
    differences in seconds; its share is of the sum over all stages. A stage that only one side
    has took no time on the other.
    """
    sides = [(before, now) for before, now in pairs if before and now]
    names: dict[str, None] = {}
    for before, now in sides:
        names.update(dict.fromkeys((*before, *now)))
    grown = {name: _median_growth_s(name, sides) for name in names}
    whole_s = sum(grown.values())
    if whole_s <= 0.0:
        return ()
    stage = max(grown, key=lambda name: grown[name])
    old_s = median([before.get(stage, 0.0) for before, _ in sides])
    size = f" {grown[stage] / old_s * 100:+.0f} %" if old_s > 0.0 else ""
    return (f"{stage}{size}", f"{grown[stage] / whole_s * 100:.0f} % of it")


def _median_growth_s(stage: str, sides: Sequence[tuple[Stages, Stages]]) -> float:
    return median([now.get(stage, 0.0) - before.get(stage, 0.0) for before, now in sides])


def pair_stages(base: Run, head: Run, slug: str) -> list[tuple[Stages, Stages]]:
    """
    Pair the stages of one cell in two runs by round, request and pass.

    Disturbed iterations are left out, as when comparing.
    """
    before, now = _by_place(base, slug), _by_place(head, slug)
    return [(before[place], now[place]) for place in before if place in now]


def _by_place(run: Run, slug: str) -> Mapping[Position, Stages]:
    passes_done: Counter[tuple[int, str]] = Counter()
    stages: dict[Position, Stages] = {}
    for process in run.processes:
        for iteration in process.iterations if process.cell == slug else ():
            if iteration.phase is Phase.MEASURED:
                key = process.repeat, iteration.request
                if not interference_causes(iteration):
                    position = (process.repeat, iteration.request, passes_done[key])
                    stages[position] = iteration.stages_s
                passes_done[key] += 1
    return stages


SYNCHRONISED, ISOLATED = "synced.", "alone."
UNACCOUNTED = "unaccounted"
UNKNOWN_WORK = "1"
"""
Version of times without a recorded amount of work: of stages within a whole, and of older run
folders.
"""
KNOWN_WORK = "2"


def isolated_stages(processes: Sequence[ProcessRecord]) -> dict[str, dict[int, tuple[float, ...]]]:
    """
    Return name -> repeat -> seconds, in the order of the stages; empty without stage profiles.
    """
    seconds_by_name: dict[str, dict[int, tuple[float, ...]]] = {}
    for process in processes:
        if isinstance(process.stages, StageProfile):
            for name, seconds in _of(process.stages).items():
                seconds_by_name.setdefault(name, {})[process.repeat] = seconds
    return seconds_by_name


def isolated_versions(processes: Sequence[ProcessRecord]) -> dict[str, str]:
    """
    Return the versions of the isolated stages, by name.

    A stage is left out where a process does not record its amount of work.
    """
    passes = [process.stages for process in processes if isinstance(process.stages, StageProfile)]
    work: dict[str, list[StageWork | None]] = {}
    for profile in passes:
        for stage in profile.alone_s:
            work.setdefault(stage, []).append(profile.work.get(stage))
    return {
        f"{ISOLATED}{stage}": _version(complete)
        for stage, works in work.items()
        if (complete := _all(works))
    }


def same_work(before_version: str, now_version: str) -> bool:
    """
    Return whether two isolated times are known to be of the same work.

    >>> same_work("2; 8 rows", "2; 8 rows"), same_work(UNKNOWN_WORK, UNKNOWN_WORK)
    (True, False)
    """
    return before_version == now_version != UNKNOWN_WORK


def _all(works: Sequence[StageWork | None]) -> list[StageWork]:
    recorded = [work for work in works if work is not None]
    return recorded if len(recorded) == len(works) else []


def _version(works: Sequence[StageWork]) -> str:
    words = [
        f"{work.rows} x {work.frames} frames in the first of {work.calls} calls" for work in works
    ]
    return str(MetricVersion(KNOWN_WORK, tuple(sorted(set(words)))))


def _of(stages: StageProfile) -> dict[str, tuple[float, ...]]:
    synced = {f"{SYNCHRONISED}{name}": (seconds,) for name, seconds in stages.stages_s.items()}
    alone = {f"{ISOLATED}{name}": calls_s for name, calls_s in stages.alone_s.items() if calls_s}
    return {**synced, f"{SYNCHRONISED}{UNACCOUNTED}": (max(0.0, stages.unaccounted_s),), **alone}
