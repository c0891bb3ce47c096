"""
A pass of its own that asks where the time goes: one synthesis with the device waited for at both
ends of every stage, then the models of its stages alone, in turns, on what they were given in it.

It takes about as long as two iterations, runs once in a process when all that is judged has been
measured, and is never counted among the times. A target that can run stages alone has a method
`alone(request, watch)`: it speaks the request and gives, by stage, what runs the stage's model once
and how much it then has to do. Decides nothing.
"""

from collections.abc import Callable, Mapping
from itertools import count

from harness.machine.clock import Clock, StageWatch
from harness.records.cell import Request
from harness.records.run import StageProfile
from harness.targets.protocol import Alone, Target

LEAST_TIMES = 3
"""Fewer have no median that one hiccup could not move."""
MOST_TIMES = 30


def profile_stages(target: Target, request: Request, clock: Clock) -> StageProfile:
    """Speak once, and run the stages alone for about as long again."""
    watch = StageWatch(clock)
    start_s = clock.seconds()
    alone = _speak(target, request, watch)
    wall_s = clock.seconds() - start_s
    unaccounted_s = wall_s - sum(watch.stages_s.values())
    return StageProfile(
        request=request.id,
        wall_s=wall_s,
        stages_s=watch.stages_s,
        unaccounted_s=unaccounted_s,
        alone_s=_repeated(alone, clock, wall_s),
        work={stage: each.work for stage, each in alone.items() if each.work is not None},
    )


def _speak(target: Target, request: Request, watch: StageWatch) -> Mapping[str, Alone]:
    runs: Callable[[Request, StageWatch], Mapping[str, Alone]] | None = getattr(
        target, "alone", None
    )
    if runs is not None:
        return runs(request, watch)
    for _ in target.synthesize(request, watch):
        pass
    return {}


def _repeated(
    alone: Mapping[str, Alone], clock: Clock, budget_s: float
) -> dict[str, tuple[float, ...]]:
    """
    Run the stages in turns, so that what the machine does meets all of them, until the budget is
    spent.
    """
    times_s: dict[str, list[float]] = {stage: [] for stage in alone}
    until_s = clock.seconds() + budget_s
    for lap in count():
        if lap >= MOST_TIMES or (lap >= LEAST_TIMES and clock.seconds() >= until_s):
            break
        for stage, each in alone.items():
            start_s = clock.seconds()
            each.run()
            times_s[stage].append(clock.seconds() - start_s)
    return {stage: tuple(several) for stage, several in times_s.items()}
