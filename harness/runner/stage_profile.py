"""
A pass of its own that asks where the time goes: one synthesis with the device waited for at both
ends of every stage, then the models of its stages alone, in turns, on what they were given in it.

It takes about as long as two iterations, runs once in a process when all that is judged has been
measured, and is never counted among the times. A target that can run stages alone overrides
`isolated_stages`. Decides nothing.
"""

from collections.abc import Mapping
from itertools import count

from voxgate.harness.machine.clock import Clock, StageWatch
from voxgate.harness.records.cell import Request
from voxgate.harness.records.run import StageProfile
from voxgate.harness.targets.protocol import IsolatedStage, Target

LEAST_TIMES = 3
"""Fewer have no median that one hiccup could not move."""
MOST_TIMES = 30


def profile_stages(target: Target, request: Request, clock: Clock) -> StageProfile:
    """Speak once, and run the stages alone for about as long again."""
    watch = StageWatch(clock)
    start_s = clock.seconds()
    alone = target.isolated_stages(request, watch)
    wall_s = clock.seconds() - start_s
    unaccounted_s = wall_s - sum(watch.stages_s.values())
    return StageProfile(
        request=request.id,
        wall_s=wall_s,
        stages_s=watch.stages_s,
        unaccounted_s=unaccounted_s,
        alone_s=_repeated(alone, clock, wall_s),
        work={
            stage: stage_run.work
            for stage, stage_run in alone.items()
            if stage_run.work is not None
        },
    )


def _repeated(
    alone: Mapping[str, IsolatedStage], clock: Clock, budget_s: float
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
        for stage, stage_run in alone.items():
            start_s = clock.seconds()
            stage_run.run()
            times_s[stage].append(clock.seconds() - start_s)
    return {stage: tuple(runs_s) for stage, runs_s in times_s.items()}
