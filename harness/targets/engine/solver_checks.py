"""
Option checks of the solver: how often, at which times and with which batch it called the model.

`option_checks` lists them.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

from voxgate.engine.acoustic.solver import integrate, steps_for, time_grid
from voxgate.engine.config import Adaptive, Grid, Solver
from voxgate.harness.targets.engine.flow_observer import SynthesisObservation
from voxgate.harness.targets.engine.observer_registry import Observation
from voxgate.harness.targets.protocol import Options

CHANGE_SLACK = 0.01
"""
Share of the threshold by which rounding may move the change of the velocity, which is summed here
once more, in double precision.
"""


def planned_calls(options: Options, seen: SynthesisObservation) -> list[int]:
    """
    Return the model calls of every pass, without early exit; with adaptive steps there is a pass
    for each chunk.
    """
    steps = int(options["nfe_steps"])
    adaptive = Adaptive(str(options.get("nfe_adaptive", Adaptive.OFF)))
    order = Solver(str(options["solver"])).order
    if adaptive is Adaptive.OFF:
        return [steps * order for _ in seen.together]
    return [steps_for(steps, adaptive, len(phones)) * order for phones in seen.phone_ids]


def calls_hold(options: Options, seen: SynthesisObservation) -> bool:
    """Whether every chunk got its calls; with early exit, no more than those."""
    made, planned = [len(outputs) for outputs in seen.outputs], planned_calls(options, seen)
    if options.get("early_exit"):
        return len(made) == len(planned) and all(a <= b for a, b in zip(made, planned, strict=True))
    return made == planned


def expected_times(options: Options, seen: SynthesisObservation) -> list[float]:
    """
    Return the times at which the first chunk evaluates the velocity, by running the engine's own
    solver on an empty state.
    """
    times: list[float] = []

    def note(state: Tensor, t: float) -> Tensor:
        times.append(t)
        return state

    solver = Solver(str(options["solver"]))
    calls = next(iter(planned_calls(options, seen)), 0)
    grid = time_grid(
        max(1, calls // solver.order), float(options["sway"]), Grid(str(options["grid"]))
    )
    integrate(note, torch.zeros(1), grid, solver)
    return times


def expected_batches(options: Options, seen: SynthesisObservation) -> list[int]:
    """Return the batch of every call of the first chunk: 2 where guidance works."""
    start, stop = float(options.get("cfg_from", 0.0)), float(options.get("cfg_until", 1.0))
    guided = float(options["cfg_strength"]) > 0
    times = expected_times(options, seen)[: len(seen.batches)]
    return [2 if guided and start <= t <= stop else 1 for t in times]


def nfe_adaptive(options: Options, seen: SynthesisObservation) -> Observation:
    """Check that every chunk gets the calls that follow from its phones."""
    made = " and ".join(
        f"{len(out)} for {phones}"
        for phones, out in zip(map(len, seen.phone_ids), seen.outputs, strict=False)
    )
    reason = (
        f"calls for phones; {options['nfe_adaptive']} means "
        f"{' and '.join(map(str, planned_calls(options, seen)))}"
    )
    return Observation(observed=made, in_effect=calls_hold(options, seen), reason=reason)


def cfg_interval(options: Options, seen: SynthesisObservation) -> Observation:
    """Check that the unconditional half is computed inside the interval, and only there."""
    guided = [f"{t:.3f}" for t, batch in zip(seen.times, seen.batches, strict=True) if batch > 1]
    observed = (
        f"guided at t = {guided[0]} to {guided[-1]}, {len(guided)} of {len(seen.batches)} calls"
        if guided
        else "never guided"
    )
    return Observation(
        observed=observed,
        in_effect=list(seen.batches) == expected_batches(options, seen),
        reason="the batch of every call against its time",
    )


def early_exit(options: Options, seen: SynthesisObservation) -> Observation:
    """
    Check that the model is called until the predicted change of its velocity falls below the
    threshold, and not once more.
    """
    threshold, strength = float(options["early_exit"]), float(options["cfg_strength"])
    made = [len(outputs) for outputs in seen.outputs]
    planned = planned_calls(options, seen)
    in_effect = made == planned
    if threshold:
        in_effect = len(made) == len(planned) and all(
            _left_in_time(_changes(outputs, times, strength), threshold, early=len(outputs) < most)
            for outputs, times, most in zip(seen.outputs, seen.moments, planned, strict=True)
        )
    return Observation(
        observed=f"{' and '.join(map(str, made))} of {' and '.join(map(str, planned))} calls",
        in_effect=in_effect,
        reason="calls, against the changes of the velocity from one to the next",
    )


def _changes(outputs: tuple[Tensor, ...], times: tuple[float, ...], strength: float) -> list[float]:
    """
    Return the relative change of the velocity ahead for every call but the first, extrapolated from
    its rate since the call before.
    """
    velocities = [_guided(output.double(), strength) for output in outputs]
    pairs = zip(pairwise(velocities), pairwise(times), strict=True)
    return [
        float((after - before).norm() / before.norm().clamp(min=1e-30)) * (1.0 - now) / (now - then)
        if now > then
        else math.inf
        for (before, after), (then, now) in pairs
    ]


def _guided(output: Tensor, strength: float) -> Tensor:
    if output.shape[0] == 1:
        return output
    cond, uncond = output.chunk(2)
    return cond + strength * (cond - uncond)


def _left_in_time(changes: list[float], threshold: float, *, early: bool) -> bool:
    """
    Whether the last change alone was below the threshold; without early exit, none need be below.
    """
    if any(change < threshold * (1 - CHANGE_SLACK) for change in changes[:-1]):
        return False
    return not early or (bool(changes) and changes[-1] < threshold * (1 + CHANGE_SLACK))
