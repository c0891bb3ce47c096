"""
Holds against what was asked what the solver was seen to do: how often, when and with which batch it
called the model.

Each public check has the form of those in `engine_effects`, which lists them.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor

from engine.acoustic.solver import integrate, steps_for, time_grid
from engine.config import Adaptive, Grid, Solver
from harness.targets.engine.observer import SynthesisObservation
from harness.targets.protocol import Observation, Options

CHANGE_SLACK = 0.01
"""
The change of the velocity is summed up anew here, in double precision: a share of the threshold
that rounding may move.
"""


def planned_calls(options: Options, seen: SynthesisObservation) -> list[int]:
    """
    Give the calls of the model that every pass gets, unless it leaves early; adaptive steps have a
    pass for each chunk.
    """
    steps, adaptive = (
        int(options["nfe_steps"]),
        Adaptive(str(options.get("nfe_adaptive", Adaptive.OFF))),
    )
    order = Solver(str(options["solver"])).order
    if adaptive is Adaptive.OFF:
        return [steps * order for _ in seen.together]
    return [steps_for(steps, adaptive, len(phones)) * order for phones in seen.phone_ids]


def calls_hold(options: Options, seen: SynthesisObservation) -> bool:
    """
    Tell whether every chunk got its calls; where leaving early is allowed, no more than those.
    """
    made, planned = [len(outputs) for outputs in seen.outputs], planned_calls(options, seen)
    if options.get("early_exit"):
        return len(made) == len(planned) and all(a <= b for a, b in zip(made, planned, strict=True))
    return made == planned


def expected_times(options: Options, seen: SynthesisObservation) -> list[float]:
    """
    Give the times at which the first chunk asks for the velocity, by running the engine's own
    solver on nothing.
    """
    asked: list[float] = []

    def note(state: Tensor, t: float) -> Tensor:
        asked.append(t)
        return state

    solver = Solver(str(options["solver"]))
    calls = next(iter(planned_calls(options, seen)), 0)
    grid = time_grid(
        max(1, calls // solver.order), float(options["sway"]), Grid(str(options["grid"]))
    )
    integrate(note, torch.zeros(1), grid, solver)
    return asked


def expected_batches(options: Options, seen: SynthesisObservation) -> list[int]:
    """Give the batch of every call of the first chunk: 2 where guidance works."""
    since, until = float(options.get("cfg_from", 0.0)), float(options.get("cfg_until", 1.0))
    guided = float(options["cfg_strength"]) > 0
    return [2 if guided and since <= t <= until else 1 for t in expected_times(options, seen)][
        : len(seen.batches)
    ]


def nfe_adaptive(options: Options, seen: SynthesisObservation) -> Observation:
    """Every chunk gets the calls that its phones ask for."""
    made = " and ".join(
        f"{len(out)} for {phones}"
        for phones, out in zip(map(len, seen.phone_ids), seen.outputs, strict=False)
    )
    why = (
        f"calls for phones; {options['nfe_adaptive']} means "
        f"{' and '.join(map(str, planned_calls(options, seen)))}"
    )
    return Observation(observed=made, holds=calls_hold(options, seen), why=why)


def cfg_interval(options: Options, seen: SynthesisObservation) -> Observation:
    """The untold half is there inside of the interval, and there alone."""
    told = [f"{t:.3f}" for t, batch in zip(seen.times, seen.batches, strict=True) if batch > 1]
    observed = (
        f"guided at t = {told[0]} to {told[-1]}, {len(told)} of {len(seen.batches)} calls"
        if told
        else "never guided"
    )
    return Observation(
        observed=observed,
        holds=list(seen.batches) == expected_batches(options, seen),
        why="the batch of every call against its time",
    )


def early_exit(options: Options, seen: SynthesisObservation) -> Observation:
    """
    The model is called until its velocity is to change by less than the threshold, and not once
    more.
    """
    threshold, strength = float(options["early_exit"]), float(options["cfg_strength"])
    made = [len(outputs) for outputs in seen.outputs]
    planned = planned_calls(options, seen)
    holds = made == planned
    if threshold:
        holds = len(made) == len(planned) and all(
            _left_in_time(_changes(outputs, times, strength), threshold, early=len(outputs) < most)
            for outputs, times, most in zip(seen.outputs, seen.moments, planned, strict=True)
        )
    return Observation(
        observed=f"{' and '.join(map(str, made))} of {' and '.join(map(str, planned))} calls",
        holds=holds,
        why="calls, against the changes of the velocity from one to the next",
    )


def _changes(outputs: tuple[Tensor, ...], times: tuple[float, ...], strength: float) -> list[float]:
    """
    Give for every call but the first the relative change of the velocity ahead, at its rate since
    the call before.
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
    told, untold = output.chunk(2)
    return told + strength * (told - untold)


def _left_in_time(changes: list[float], threshold: float, *, early: bool) -> bool:
    """
    Tell whether the last change alone was below the threshold; a chunk that was not left early may
    have none below.
    """
    if any(change < threshold * (1 - CHANGE_SLACK) for change in changes[:-1]):
        return False
    return not early or (bool(changes) and changes[-1] < threshold * (1 + CHANGE_SLACK))
