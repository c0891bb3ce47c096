"""
Which stage moved between two runs that were measured in turns, and what share of the whole change that is.

Looks at the same request in the same round on both sides, so that what the machine did to both cancels. Decides nothing.
"""

from collections import Counter
from collections.abc import Mapping
from statistics import median

from harness.disturbance import causes
from harness.sample import Phase, Run, Sample

Place = tuple[int, str, int]
"""Round, request, lap."""


def moved_stage(base: Run, head: Run, slug: str) -> str:
    """
    Name the stage that grew most: `vocoder +31 % is 97 % of it`. Empty where nothing grew, or no stage is known.

    A stage's change is the median of its differences in seconds; its share is of the sum over all stages. Disturbed iterations
    are left out, as in the comparison.
    """
    before, now = _by_place(base, slug), _by_place(head, slug)
    places = [place for place in before if place in now]
    names = dict.fromkeys(name for place in places for name in (*before[place].stages_s, *now[place].stages_s))
    grown = {name: median([_stage_s(now[each], name) - _stage_s(before[each], name) for each in places]) for name in names}
    whole_s = sum(grown.values())
    if whole_s <= 0.0:
        return ""
    stage = max(grown, key=lambda name: grown[name])
    old_s = median([_stage_s(before[each], stage) for each in places])
    size = f" {grown[stage] / old_s * 100:+.0f} %" if old_s > 0.0 else ""
    return f"{stage}{size} is {grown[stage] / whole_s * 100:.0f} % of it"


def _by_place(run: Run, slug: str) -> Mapping[Place, Sample]:
    laps: Counter[tuple[int, str]] = Counter()
    found: dict[Place, Sample] = {}
    for process in run.processes:
        for sample in process.samples if process.cell == slug else ():
            if sample.phase is Phase.MEASURED:
                seat = process.repeat, sample.request
                if not causes(sample):
                    found[(*seat, laps[seat])] = sample
                laps[seat] += 1
    return found


def _stage_s(sample: Sample, name: str) -> float:
    return sample.stages_s.get(name, 0.0)
