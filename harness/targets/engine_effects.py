"""
Holds what was observed of our engine against what was asked, option by option.

Each check is one small function of (resolved option values, observation) -> (observed in words, holds, why). An option
without a check would be believed unseen, so a test demands one for every option the engine has.
"""

from collections.abc import Callable, Mapping

import torch

from engine.config import Compile, Precision, Quantization, Solver
from engine.passes.precision import DTYPES
from engine.phones import SPEAKERS
from engine.pipelines.flow import initial_noise
from harness.cell import Option
from harness.sample import Effect
from harness.targets.engine_observer import ModelSeen, Seen
from harness.targets.finding import Finding, Options
from harness.targets.solver_effects import (
    calls_hold,
    cfg_interval,
    early_exit,
    expected_batches,
    expected_times,
    nfe_adaptive,
    planned_calls,
)

GUIDANCE_TOLERANCE = 0.02
"""Of the strength found by least squares; bf16 and fp16 states are rounded, so they get ten times as much."""
SPEED_TOLERANCE = 0.1
"""Rounding to whole frames, at least one per phone, moves the length by a few per cent."""
TF32_ERROR = 1e-5
"""fp32 products of this size err by about 1e-7, TF32 by about 3e-4."""


def _nfe_steps(options: Options, seen: Seen) -> Finding:
    solver = Solver(str(options["solver"]))
    wanted = sum(planned_calls(options, seen))
    return Finding(
        observed=f"{seen.acoustic.calls} forward calls",
        holds=calls_hold(options, seen) and seen.acoustic.calls == sum(map(len, seen.outputs)),
        why=f"{options['nfe_steps']} steps x order {solver.order} of {solver} x {len(seen.chunks)} chunks are {wanted}",
    )


def _same_times(options: Options, seen: Seen) -> bool:
    expected = expected_times(options, seen)
    pairs = zip(expected, seen.times, strict=False)
    whole = len(expected) == len(seen.times) or bool(options["early_exit"])
    return whole and all(abs(a - b) < 1e-5 for a, b in pairs)


def _grid(options: Options, seen: Seen) -> Finding:
    shown = " ".join(f"{t:.3f}" for t in seen.times[:4])
    return Finding(observed=f"t = {shown} ...", holds=_same_times(options, seen), why="the times the model was called for")


def _cfg_strength(options: Options, seen: Seen) -> Finding:
    wanted = float(options["cfg_strength"])
    rounded = options["precision"] in (Precision.BF16, Precision.FP16)
    holds = list(seen.batches) == expected_batches(options, seen)
    batches = " and ".join(map(str, sorted(set(seen.batches))))
    plain = seen.guidance[:: Solver(str(options["solver"])).order]  # the moves from one step to the next call
    strength = next((found for found in plain if found is not None), None)
    if strength is None:
        return Finding(observed=f"batch of {batches}", holds=holds, why="no guided call with another behind it")
    slack = GUIDANCE_TOLERANCE * (10 if rounded else 1) * max(1.0, wanted)
    return Finding(
        observed=f"batch of {batches}, strength {strength:.3f}",
        holds=holds and abs(strength - wanted) <= slack,
        why="the strength that explains the first move of the solver that is guided",
    )


def _precision(options: Options, seen: Seen) -> Finding:
    wanted = str(DTYPES[Precision(str(options["precision"]))]).removeprefix("torch.")
    models = (seen.acoustic, seen.vocoder)
    found = {name for model in models for name in (*model.weight_dtypes, *model.activation_dtypes)}
    observed = f"weights and activations {' and '.join(sorted(found))}"
    if seen.tf32_error is not None and wanted == "float32":
        tf32 = seen.tf32_error > TF32_ERROR
        holds = found == {wanted} and tf32 == (options["precision"] == Precision.TF32)
        return Finding(observed=f"{observed}, product error {seen.tf32_error:.1e}", holds=holds, why="TF32 shows in the error")
    return Finding(observed=observed, holds=found == {wanted}, why=f"{wanted} everywhere is what was asked")


def _compile_of(model: ModelSeen, mode: Option, seen: Seen) -> Finding:
    wanted = mode != Compile.OFF
    observed = f"{model.graphs} graphs, {seen.graph_breaks} breaks" if model.compiled else "eager"
    if wanted and seen.recompiled:
        return Finding(observed=f"{observed}, {seen.recompiled} new after warm-up", holds=False, why="it still compiles")
    holds = model.compiled == wanted and (not wanted or seen.graph_breaks == 0)
    return Finding(observed=observed, holds=holds, why="dynamo's graphs for the model's code")


def _compile(options: Options, seen: Seen) -> Finding:
    return _compile_of(seen.acoustic, options["compile"], seen)


def _compile_vocoder(options: Options, seen: Seen) -> Finding:
    return _compile_of(seen.vocoder, options["compile_vocoder"], seen)


def _quantization(options: Options, seen: Seen) -> Finding:
    models = (seen.acoustic, seen.vocoder)
    done, linears = sum(m.int8_linears for m in models), sum(m.linears for m in models)
    stored, full = sum(m.weight_bytes for m in models), sum(m.fp32_bytes for m in models)
    asked = options["quantization"] != Quantization.NONE
    return Finding(
        observed=f"{done} of {linears} Linear modules int8, weights {stored / 1e6:.1f} MB ({full / 1e6:.1f} MB in fp32)",
        holds=done == (linears if asked else 0),
        why="the dtype that the weights are stored in",
    )


def _device(options: Options, seen: Seen) -> Finding:
    found = seen.acoustic.devices | seen.vocoder.devices
    wanted = str(options["device"])
    holds = len(found) == 1 and next(iter(found)) in (wanted, f"{wanted}:0")
    return Finding(observed=" and ".join(sorted(found)), holds=holds, why="where weights and outputs lie")


def _threads(options: Options, seen: Seen) -> Finding:
    return Finding(observed=str(seen.threads), holds=seen.threads == options["threads"], why="torch's own count")


def _speaker(options: Options, seen: Seen) -> Finding:
    told = " and ".join(SPEAKERS[index] for index in sorted(seen.speakers))
    return Finding(observed=told, holds=told == options["speaker"], why="what the text embedding was told")


def _speed(options: Options, seen: Seen) -> Finding:
    ratio = sum(seen.planned) / max(1, sum(seen.chunks))
    wanted = float(options["speed"])
    return Finding(
        observed=f"{ratio:.2f} times the planned pace", holds=abs(ratio / wanted - 1) <= SPEED_TOLERANCE, why="frames made"
    )


def _seed(options: Options, seen: Seen) -> Finding:
    expected = [initial_noise(int(options["seed"]), i, *state.shape[1:]) for i, state in enumerate(seen.first_states)]
    pairs = list(zip(expected, seen.first_states, strict=True))
    same = bool(pairs) and all(torch.equal(noise.to(state.dtype), state) for noise, state in pairs)
    return Finding(observed="the seed's noise" if same else "other noise", holds=same, why="the state at the first call")


CHECKS: Mapping[str, Callable[[Options, Seen], Finding]] = {
    "nfe_steps": _nfe_steps,
    "solver": _grid,
    "sway": _grid,
    "grid": _grid,
    "cfg_strength": _cfg_strength,
    "precision": _precision,
    "compile": _compile,
    "compile_vocoder": _compile_vocoder,
    "quantization": _quantization,
    "device": _device,
    "threads": _threads,
    "speaker": _speaker,
    "speed": _speed,
    "seed": _seed,
    "cfg_from": cfg_interval,
    "cfg_until": cfg_interval,
    "nfe_adaptive": nfe_adaptive,
    "early_exit": early_exit,
}


def judge_effects(effective: Options, asked: Options, seen: Seen) -> tuple[Effect, ...]:
    """
    Hold every option against the observation.

    Args:
        effective: all options as the engine says it resolved them; a default is checked like a wish.
        asked: those that the cell or the profile named; they win over what the engine says.
        seen: the observation.
    """
    wanted = {**effective, **{name: value for name, value in asked.items() if (name, value) != ("threads", 0)}}
    effects = []
    for option, check in CHECKS.items():
        finding = check(wanted, seen)
        effects.append(
            Effect(option=option, asked=wanted[option], observed=finding.observed, holds=finding.holds, why=finding.why)
        )
    return tuple(effects)
