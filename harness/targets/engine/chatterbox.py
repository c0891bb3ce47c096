"""
The observer of the pipeline `chatterbox`: what goes into and out of T3's stack and the flow's
estimator while one request is spoken.

Options of sampling (temperature, top_p, ...) leave no trace that one synthesis shows, and have no
check.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from voxgate.engine.layers.kv_cache import DynamicCache, NoCache, StaticCache
from voxgate.engine.pipelines.chatterbox import ChatterboxPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.observer_registry import Check, Observation, PipelineObserver
from voxgate.harness.targets.protocol import Options

CACHES = {"off": NoCache, "dynamic": DynamicCache, "static": StaticCache}
DTYPES = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(slots=True, kw_only=True)
class ChatterboxSeen:
    """Record of one observed synthesis."""

    rows: set[int] = field(default_factory=set)
    """Of the batches of T3's stack."""
    steps: list[int] = field(default_factory=list)
    """Calls of the stack, by sequence."""
    computed: list[int] = field(default_factory=list)
    """Positions that the first layer computed, by call."""
    caches: set[type] = field(default_factory=set)
    dtypes: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    probed: set[bool] = field(default_factory=set)
    """Whether attention was read during a call."""
    velocities: int = 0
    """Calls of the flow's estimator."""
    velocity_rows: set[int] = field(default_factory=set)
    int8: bool = False
    threads: int = 0


def observe_chatterbox(pipeline: ChatterboxPipeline, request: Request) -> ChatterboxSeen:
    """Run one request under observation; the pipeline is left unchanged."""
    seen = ChatterboxSeen(threads=torch.get_num_threads())
    layers: list[Any] = list(pipeline.checkpoint.t3.tfmr.layers)
    tokens, acoustic = pipeline.tokens, pipeline.acoustic
    stored = layers[0].mlp.down_proj._packed
    seen.int8 = stored is not None and stored.dtype is torch.int8

    def step(x: torch.Tensor, positions: torch.Tensor, cache: Any) -> Any:
        seen.rows.add(x.shape[0])
        seen.steps += [0] if cache.length == 0 else []
        seen.steps[-1] += 1
        seen.caches.add(type(cache))
        seen.probed.add(any(layer.self_attn.probe is not None for layer in layers))
        states = tokens(x, positions, cache)
        seen.dtypes.add(str(states.dtype).removeprefix("torch."))
        seen.devices.add(str(states.device))
        return states

    def velocity(*inputs: Any) -> Any:
        found = acoustic(*inputs)
        seen.velocities += 1
        seen.velocity_rows.add(found.shape[0])
        return found

    handle = layers[0].register_forward_hook(
        lambda _module, inputs, _output: seen.computed.append(inputs[0].shape[1])
    )
    pipeline.replace_callable("tokens", step)
    pipeline.replace_callable("acoustic", velocity)
    try:
        pipeline.synthesize(request.text, request.options)
    finally:
        handle.remove()
        pipeline.replace_callable("tokens", tokens)
        pipeline.replace_callable("acoustic", acoustic)
    return seen


def _observed(observed: object, in_effect: bool, reason: str) -> Observation:
    return Observation(observed=str(observed), in_effect=in_effect, reason=reason)


def _cfg_weight(options: Options, seen: ChatterboxSeen) -> Observation:
    rows = 2 if float(options["cfg_weight"]) > 0 else 1
    return _observed(f"rows {sorted(seen.rows)}", seen.rows == {rows}, "guidance is a second row")


def _cfg_rate(options: Options, seen: ChatterboxSeen) -> Observation:
    rows = 2 if float(options["cfg_rate"]) > 0 else 1
    found = f"rows {sorted(seen.velocity_rows)}"
    return _observed(found, seen.velocity_rows == {rows}, "guidance is a second row")


def _nfe_steps(options: Options, seen: ChatterboxSeen) -> Observation:
    expected = len(seen.steps) * int(options["nfe_steps"])
    found = f"{seen.velocities} velocities for {len(seen.steps)} chunks"
    return _observed(found, seen.velocities == expected, "one for each step of each chunk")


def _kv_cache(options: Options, seen: ChatterboxSeen) -> Observation:
    kind = str(options["kv_cache"])
    most = max(seen.computed[1 : seen.steps[0]], default=0)
    agrees = most <= 1 or kind == "off"
    names = ", ".join(sorted(each.__name__ for each in seen.caches))
    return _observed(
        f"{names}; at most {most} positions for a token",
        seen.caches == {CACHES[kind]} and agrees,
        "with a cache a token is one position",
    )


def _max_tokens(options: Options, seen: ChatterboxSeen) -> Observation:
    within = max(seen.steps) <= int(options["max_tokens"])
    return _observed(f"at most {max(seen.steps)} tokens", within, "no chunk has more")


def _alignment(options: Options, seen: ChatterboxSeen) -> Observation:
    reads = options["alignment"] == "on"
    found = "attention is read" if seen.probed == {True} else "attention is not read"
    return _observed(found, seen.probed == {reads}, "the position is read from three heads")


def _precision(options: Options, seen: ChatterboxSeen) -> Observation:
    expected = {DTYPES[str(options["precision"])]}
    return _observed(", ".join(sorted(seen.dtypes)), seen.dtypes == expected, "of T3's states")


def _quantization(options: Options, seen: ChatterboxSeen) -> Observation:
    found = "int8 weights" if seen.int8 else "no int8 weights"
    asked = options["quantization"] != "none"
    return _observed(found, seen.int8 == asked, "of a matrix of T3, as it lies in memory")


def _device(options: Options, seen: ChatterboxSeen) -> Observation:
    asked = str(options["device"])
    fits = all(device == asked or device.startswith(f"{asked}:") for device in seen.devices)
    return _observed(", ".join(sorted(seen.devices)), fits, "of T3's states")


def _threads(options: Options, seen: ChatterboxSeen) -> Observation:
    return _observed(seen.threads, seen.threads == int(options["threads"]), "as torch reports it")


CHATTERBOX_CHECKS: Mapping[str, Check] = {
    "cfg_weight": _cfg_weight,
    "cfg_rate": _cfg_rate,
    "nfe_steps": _nfe_steps,
    "kv_cache": _kv_cache,
    "max_tokens": _max_tokens,
    "alignment": _alignment,
    "precision": _precision,
    "quantization": _quantization,
    "device": _device,
    "threads": _threads,
}

OBSERVER = PipelineObserver(observe=observe_chatterbox, checks=CHATTERBOX_CHECKS)
