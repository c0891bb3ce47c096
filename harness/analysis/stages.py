"""
Which stage a change of the whole comes from, and what share of it that is. Decides nothing.

There is one rule, for whatever stands side by side: the same request in the same round and lap where both sides were measured
in turns, so that what the machine did to both cancels; the medians of both sides where a stored baseline keeps no more.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median

from harness.machine.interference import causes
from harness.records.run import Phase, Run

Place = tuple[int, str, int]
"""Round, request, lap."""
Stages = Mapping[str, float]
"""Seconds by stage."""


def moved_stage(pairs: Iterable[tuple[Stages, Stages]]) -> str:
    """
    Name the stage that grew most between before and now: `vocoder +31 % is 97 % of it`. Empty where nothing grew, or no stage
    is known.

    A stage's change is the median of its differences in seconds; its share is of the sum over all stages. A stage that only
    one side has took no time on the other.
    """
    known = [(before, now) for before, now in pairs if before and now]
    names = dict.fromkeys(name for before, now in known for name in (*before, *now))
    grown = {name: median([now.get(name, 0.0) - before.get(name, 0.0) for before, now in known]) for name in names}
    whole_s = sum(grown.values())
    if whole_s <= 0.0:
        return ""
    stage = max(grown, key=lambda name: grown[name])
    old_s = median([before.get(stage, 0.0) for before, _ in known])
    size = f" {grown[stage] / old_s * 100:+.0f} %" if old_s > 0.0 else ""
    return f"{stage}{size} is {grown[stage] / whole_s * 100:.0f} % of it"


def in_turns(base: Run, head: Run, slug: str) -> list[tuple[Stages, Stages]]:
    """Put the stages of one cell side by side, by round, request and lap; without disturbed iterations, as when comparing."""
    before, now = _by_place(base, slug), _by_place(head, slug)
    return [(before[place], now[place]) for place in before if place in now]


def _by_place(run: Run, slug: str) -> Mapping[Place, Stages]:
    laps: Counter[tuple[int, str]] = Counter()
    found: dict[Place, Stages] = {}
    for process in run.processes:
        for sample in process.samples if process.cell == slug else ():
            if sample.phase is Phase.MEASURED:
                seat = process.repeat, sample.request
                if not causes(sample):
                    found[(*seat, laps[seat])] = sample.stages_s
                laps[seat] += 1
    return found
