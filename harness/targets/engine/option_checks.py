"""
The option checks of the pipeline `flow`: compare each option with the record of an observed
synthesis.

Each check is one small function of (options, record) -> Observation. An option without a check
counts as not observable, so a test demands one for every option of the pipeline.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import torch

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.reference_recording import transcript_of
from voxgate.engine.config import Compile, Precision, Quantization, Runtime, Solver, Stages
from voxgate.engine.layers.mel import LOG_FLOOR
from voxgate.engine.passes.precision import DTYPES
from voxgate.engine.pipelines.flow import initial_noise
from voxgate.engine.text.frontend import phonemise
from voxgate.harness.records.cell import Option
from voxgate.harness.targets.engine import language_checks
from voxgate.harness.targets.engine.flow_observer import ModelSeen, SynthesisObservation, observe
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.engine.postprocess_checks import FLOW_OUTPUT_CHECKS
from voxgate.harness.targets.engine.prompt_probe import recording_seen, run_together
from voxgate.harness.targets.engine.solver_checks import (
    calls_hold,
    cfg_interval,
    early_exit,
    expected_batches,
    expected_times,
    nfe_adaptive,
    planned_calls,
)
from voxgate.harness.targets.engine.thread_checks import threads, workers
from voxgate.harness.targets.protocol import Options

GUIDANCE_TOLERANCE = 0.02
"""
Of the strength found by least squares; bf16 and fp16 states are rounded, so they are allowed ten
times as much.
"""
TF32_ERROR = 1e-5
"""fp32 products of this size err by about 1e-7, TF32 by about 3e-4."""

PROVIDERS: Mapping[tuple[Runtime, str], str] = MappingProxyType(
    {
        (Runtime.ONNX, "cpu"): "CPUExecutionProvider",
        (Runtime.ONNX, "cuda"): "CUDAExecutionProvider",
        (Runtime.TENSORRT, "cuda"): "TensorrtExecutionProvider",
    }
)
"""ONNX Runtime's name of the execution provider, by runtime and kind of device."""


def _nfe_steps(options: Options, seen: SynthesisObservation) -> Observation:
    solver = Solver(str(options["solver"]))
    planned = sum(planned_calls(options, seen))
    return Observation(
        observed=f"{seen.acoustic.calls} forward calls",
        in_effect=calls_hold(options, seen) and seen.acoustic.calls == sum(map(len, seen.outputs)),
        reason=f"{options['nfe_steps']} steps x order {solver.order} of {solver} x "
        f"{len(seen.together)} passes are {planned}",
    )


def _same_times(options: Options, seen: SynthesisObservation) -> bool:
    expected = expected_times(options, seen)
    pairs = zip(expected, seen.times, strict=False)
    whole = len(expected) == len(seen.times) or bool(options.get("early_exit"))
    return whole and all(abs(a - b) < 1e-5 for a, b in pairs)


def _grid(options: Options, seen: SynthesisObservation) -> Observation:
    first_times = " ".join(f"{t:.3f}" for t in seen.times[:4])
    return Observation(
        observed=f"t = {first_times} ...",
        in_effect=_same_times(options, seen),
        reason="the times the model was called for",
    )


def _cfg_strength(options: Options, seen: SynthesisObservation) -> Observation:
    requested = float(options["cfg_strength"])
    rounded = options["precision"] in (Precision.BF16, Precision.FP16)
    in_effect = list(seen.batches) == expected_batches(options, seen)
    batches = " and ".join(map(str, sorted(set(seen.batches))))
    # the moves from one step to the next call
    plain = seen.guidance[:: Solver(str(options["solver"])).order]
    strength = next((value for value in plain if value is not None), None)
    if strength is None:
        guided = 2 in seen.batches  # one call does not show the strength
        reason = "no guided call with another behind it"
        return Observation(
            observed=f"batch of {batches}",
            in_effect=None if in_effect and guided else in_effect,
            reason=reason,
        )
    slack = GUIDANCE_TOLERANCE * (10 if rounded else 1) * max(1.0, requested)
    return Observation(
        observed=f"batch of {batches}, strength {strength:.3f}",
        in_effect=in_effect and abs(strength - requested) <= slack,
        reason="the strength that explains the first move of the solver that is guided",
    )


def _precision(options: Options, seen: SynthesisObservation) -> Observation:
    requested = str(DTYPES[Precision(str(options["precision"]))]).removeprefix("torch.")
    models = (seen.acoustic, seen.vocoder)
    dtypes = {name for model in models for name in (*model.weight_dtypes, *model.activation_dtypes)}
    observed = f"weights and activations {' and '.join(sorted(dtypes))}"
    if seen.tf32_error is not None and requested == "float32":
        tf32 = seen.tf32_error > TF32_ERROR
        in_effect = dtypes == {requested} and tf32 == (options["precision"] == Precision.TF32)
        return Observation(
            observed=f"{observed}, product error {seen.tf32_error:.1e}",
            in_effect=in_effect,
            reason="TF32 shows in the error",
        )
    return Observation(
        observed=observed,
        in_effect=dtypes == {requested},
        reason=f"{requested} everywhere is what was asked",
    )


class HasCompilation(Protocol):
    """A record of an observed synthesis with dynamo's counters."""

    @property
    def recompiled(self) -> int:
        """Graphs that were compiled during the synthesis."""

    @property
    def graph_breaks(self) -> int:
        """Of this process so far."""


def compile_of(model: ModelSeen, mode: Option, seen: HasCompilation) -> Observation:
    """Check whether a model is compiled as a mode says."""
    requested = mode != Compile.OFF
    observed = (
        f"{model.graphs} graphs, {seen.graph_breaks} breaks" if model.compiled else "not compiled"
    )
    if requested and seen.recompiled:
        return Observation(
            observed=f"{observed}, {seen.recompiled} new after warm-up",
            in_effect=False,
            reason="it still compiles",
        )
    in_effect = model.compiled == requested and (not requested or seen.graph_breaks == 0)
    if mode == Compile.REDUCE_OVERHEAD:
        return Observation(
            observed=f"{observed}, {model.replays} CUDA graphs replayed in {model.calls} calls",
            in_effect=in_effect and model.replays >= model.calls > 0,
            reason="every call is the replay of a CUDA graph",
        )
    return Observation(
        observed=observed, in_effect=in_effect, reason="dynamo's graphs for the model's code"
    )


def _compile(options: Options, seen: SynthesisObservation) -> Observation:
    return compile_of(seen.acoustic, options["compile"], seen)


def _compile_vocoder(options: Options, seen: SynthesisObservation) -> Observation:
    return compile_of(seen.vocoder, options["compile_vocoder"], seen)


def _quantization(options: Options, seen: SynthesisObservation) -> Observation:
    models = {"acoustic": seen.acoustic, "vocoder": seen.vocoder}
    int8 = sum(model.int8_linears for model in models.values())
    linears = sum(model.linears for model in models.values())
    stored = sum(model.weight_bytes for model in models.values())
    full = sum(model.fp32_bytes for model in models.values())
    quantized = (
        Stages(str(options["quantized_stages"])).names
        if options["quantization"] != Quantization.NONE
        else ()
    )
    return Observation(
        observed=f"{int8} of {linears} Linear modules int8, weights {stored / 1e6:.1f} MB "
        f"({full / 1e6:.1f} MB in fp32)",
        in_effect=int8 == sum(models[name].linears for name in quantized),
        reason="the dtype that the weights are stored in",
    )


def _quantized_stages(options: Options, seen: SynthesisObservation) -> Observation:
    models = (("acoustic", seen.acoustic), ("vocoder", seen.vocoder))
    stages = [stage for stage, model in models if model.int8_linears]
    return Observation(
        observed=f"int8 in {' and '.join(stages) or 'no model'}",
        in_effect=set(stages) <= set(Stages(str(options["quantized_stages"])).names),
        reason="the dtype that the weights are stored in",
    )


def runtime_of(model: ModelSeen, options: Options, name: str) -> Observation:
    """Check which library computed a model."""
    runtime = Runtime(str(options[f"runtime_{name}"]))
    runs = [
        f"{session.runs} runs of ONNX Runtime's {session.provider}" for session in model.sessions
    ]
    in_torch = (
        "compiled by torch" if model.products is None else f"{model.products} products in torch"
    )
    observed = f"{model.calls} calls: {', '.join([*runs, in_torch])}"
    if runtime is Runtime.TORCH:
        return Observation(
            observed=observed,
            in_effect=not model.sessions,
            reason="no session of another runtime ran in the stage",
        )
    provider = PROVIDERS[runtime, str(options["device"]).partition(":")[0]]
    in_effect = (
        model.products == 0
        and sum(session.runs for session in model.sessions) == model.calls > 0
        and {session.provider for session in model.sessions} == {provider}
    )
    return Observation(
        observed=observed,
        in_effect=in_effect,
        reason=f"one run of {provider} for every call, and nothing left for torch",
    )


def _runtime_acoustic(options: Options, seen: SynthesisObservation) -> Observation:
    return runtime_of(seen.acoustic, options, "acoustic")


def _runtime_vocoder(options: Options, seen: SynthesisObservation) -> Observation:
    return runtime_of(seen.vocoder, options, "vocoder")


def _pad_frames(options: Options, seen: SynthesisObservation) -> Observation:
    multiple = int(options["pad_frames"])
    requested = [*seen.acoustic.asked_frames, *seen.vocoder.asked_frames]
    computed = [*seen.acoustic.computed_frames, *seen.vocoder.computed_frames]
    padded = [frames + -frames % multiple if multiple else frames for frames in requested]
    shapes = dict.fromkeys(zip(requested, computed, strict=False))
    return Observation(
        observed=f"frames {', '.join(f'{a} computed as {c}' for a, c in shapes)}"
        if shapes
        else "no call reached a model",
        in_effect=bool(requested) and computed == padded,
        reason="the lengths of every call, and those that reached what computes",
    )


def _device(options: Options, seen: SynthesisObservation) -> Observation:
    devices = seen.acoustic.devices | seen.vocoder.devices
    requested = str(options["device"])
    in_effect = len(devices) == 1 and next(iter(devices)) in (requested, f"{requested}:0")
    return Observation(
        observed=" and ".join(sorted(devices)),
        in_effect=in_effect,
        reason="where weights and outputs lie",
    )


def _seed(options: Options, seen: SynthesisObservation) -> Observation:
    expected = [
        initial_noise(int(options["seed"]), i, *state.shape[1:])
        for i, state in enumerate(seen.first_states)
    ]
    pairs = list(zip(expected, seen.first_states, strict=True))
    same = bool(pairs) and all(torch.equal(noise.to(state.dtype), state) for noise, state in pairs)
    return Observation(
        observed="the seed's noise" if same else "other noise",
        in_effect=same,
        reason="the state at the first call",
    )


def _batch(options: Options, seen: SynthesisObservation) -> Observation:
    count, size = len(seen.phone_ids), max(1, int(options["batch"]))
    alone = 1 if int(options.get("first_chunk_characters", 0)) and count else 0
    planned = (*[1] * alone, *(min(size, count - start) for start in range(alone, count, size)))
    return Observation(
        observed=f"{' + '.join(map(str, seen.together))} chunks in {seen.vocoder.calls} passes",
        in_effect=seen.together == planned and seen.vocoder.calls == len(planned),
        reason="how many utterances each call of the models held; a text of one chunk has "
        "nothing to share",
    )


def _batch_by(options: Options, seen: SynthesisObservation) -> Observation:
    return Observation(
        observed=f"{' + '.join(map(str, seen.together))} chunks in their order",
        in_effect=sum(seen.together) == len(seen.phone_ids),
        reason="a text alone is spoken in its order, whatever is asked; a reel is grouped",
    )


def _reference(options: Options, seen: SynthesisObservation) -> Observation:
    observed, in_effect = recording_seen(options, seen.prompt, SAMPLE_RATE_HZ, LOG_FLOOR)
    return Observation(
        observed=observed, in_effect=in_effect, reason="what the acoustic model may copy from"
    )


def _reference_text(options: Options, seen: SynthesisObservation) -> Observation:
    path = str(options["reference"])
    language, region = language_checks.accent_of(options)
    words = transcript_of(path, str(options["reference_text"])) if path else ""
    chunks = phonemise(words, language=language, region=region) if path else ()
    ids = (phone for chunk in chunks for phone in chunk.phones)
    requested = run_together([language.phones[phone] for phone in ids])
    pairs = zip(seen.prompt.texts, seen.prompt.logs, strict=False)
    prompts = [run_together(text[: len(log)]) for text, log in pairs]
    return Observation(
        observed=f"told {' '.join(prompts[0][:8]) or 'nothing' if prompts else 'nothing'}",
        in_effect=bool(prompts) and all(phones == requested for phones in prompts),
        reason="the phones of the frames in front",
    )


CHECKS: Mapping[str, Check] = {
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
    "threads": threads,
    "language": language_checks.language,
    "region": language_checks.region,
    "speaker": language_checks.speaker,
    "speed": language_checks.speed,
    "seed": _seed,
    "chunk_characters": language_checks.chunk_characters,
    "first_chunk_characters": language_checks.first_chunk_characters,
    "batch": _batch,
    "batch_by": _batch_by,
    "runtime_acoustic": _runtime_acoustic,
    "runtime_vocoder": _runtime_vocoder,
    "quantized_stages": _quantized_stages,
    "pad_frames": _pad_frames,
    "reference": _reference,
    "reference_text": _reference_text,
    "cfg_from": cfg_interval,
    "cfg_until": cfg_interval,
    "nfe_adaptive": nfe_adaptive,
    "early_exit": early_exit,
    "workers": workers,
    **FLOW_OUTPUT_CHECKS,
}

OBSERVER = PipelineObserver(observe=observe, checks=CHECKS, whole_reels=True)
