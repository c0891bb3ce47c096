"""
Watches our engine while it speaks: what was called, with what, how often. It judges nothing and
believes nothing.

How the calls are seen is the matter of `engine_hooks`; here they are counted.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from harness.records.cell import Request
from harness.targets.engine.hooks import Hooks, Recorder, dtype_name, hooked_in
from harness.targets.engine.prompt_probe import PromptSeen, counting, prompt_seen
from harness.targets.engine.runtime_probe import (
    RuntimeProbe,
    SessionSeen,
    compiled_from,
    compiled_graphs,
    graph_breaks,
    graphs_of,
    is_compiled,
)
from harness.targets.engine.thread_probe import Crowd, CrowdSeen, Passes, could_meet, rearranged


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeen:
    """
    One model during an observed synthesis. Counters map a dtype's name to how many tensors had it.
    """

    calls: int
    weight_dtypes: Counter[str]
    activation_dtypes: Counter[str]
    devices: frozenset[str]
    linears: int
    int8_linears: int
    weight_bytes: int
    fp32_bytes: int
    compiled: bool
    """The call went through torch.compile, and dynamo holds a graph for the model's code."""
    graphs: int
    sessions: tuple[SessionSeen, ...]
    """Of ONNX Runtime, that ran while the model was called."""
    products: int | None
    """
    Matrix products that torch did while the model was called; None where compiled code is not
    looked into.
    """
    replays: int
    """Of CUDA graphs while the model was called."""
    asked_frames: tuple[int, ...]
    """Of every call."""
    computed_frames: tuple[int, ...]
    """Of every call that reached what computes, padding included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisObservation:
    """What one observed synthesis did, over all its chunks (a long text is spoken in several)."""

    acoustic: ModelSeen
    vocoder: ModelSeen
    chunks: tuple[int, ...]
    """Mel frames of every chunk."""
    planned: tuple[float, ...]
    """Mel frames of every chunk as the duration model predicts them at the pace of speed 1."""
    times: tuple[float, ...]
    """The flow times that the acoustic model was asked for in the first chunk, in order."""
    first_states: tuple[Tensor, ...]
    """The state at the first call of every chunk, (1, T, bands): the initial noise."""
    batches: tuple[int, ...]
    """
    How often every call of the first pass held each of its utterances, in order: twice where it is
    guided.
    """
    guidance: tuple[float | None, ...]
    """
    For every call of the first pass the strength that explains the move to the next one; None where
    it does not show.
    """
    speakers: frozenset[int]
    graph_breaks: int
    recompiled: int
    threads: int
    tf32_error: float | None
    """Relative error of a float32 matrix product on the CUDA device; None on a CPU."""
    text: str
    """Of the request."""
    phone_ids: tuple[tuple[int, ...], ...]
    """What the duration model was asked for, chunk by chunk."""
    together: tuple[int, ...]
    """
    How many chunks went through each pass of the acoustic model: its rows, those that guidance
    doubles counted once.
    """
    prompt: PromptSeen
    """What it was told of a reference recording."""
    outputs: tuple[tuple[Tensor, ...], ...]
    """What the acoustic model gave, call by call, of every pass."""
    moments: tuple[tuple[float, ...], ...]
    """The flow times of these calls."""
    crowd: CrowdSeen
    """In which threads all this was."""


def observe(
    pipeline: Any, request: Request, listening: Hooks | None = None
) -> SynthesisObservation:
    """
    Let the pipeline speak one request under observation; afterwards it is as it was. `listening`:
    hooks, if not flow's.
    """
    graphs_before = compiled_graphs()
    crowd = Crowd(could_meet(pipeline, request.text))
    hooks = listening or Hooks(pipeline)
    hooks.crowd = crowd
    with (
        hooked_in(pipeline, RuntimeProbe(crowd), hooks) as (acoustic, vocoder),
        counting(
            pipeline.prompts,
            hooks.speakers,
            hooks.planned,
            hooks.texts,
            hooks.text_marks,
            hooks.phone_ids,
        ) as encoded,
    ):
        pipeline.synthesize(request.text, request.options)
    if len({mark.thread for mark in acoustic.marks}) > 1:
        _rearrange(acoustic, vocoder, hooks, int(request.options.get("seed", pipeline.config.seed)))
    return _seen(
        pipeline,
        request,
        hooks,
        acoustic,
        vocoder,
        crowd,
        encoded=len(encoded),
        recompiled=compiled_graphs() - graphs_before,
    )


def _seen(
    pipeline: Any,
    request: Request,
    hooks: Hooks,
    acoustic: Recorder,
    vocoder: Recorder,
    crowd: Crowd,
    *,
    encoded: int,
    recompiled: int,
) -> SynthesisObservation:
    """Sort what was recorded of the synthesis that was watched."""
    starts = _starts(acoustic)
    ends = [*starts[1:], len(acoustic.inputs)]
    first = acoustic.inputs[starts[0] : ends[0]] if starts else []
    together = tuple(_told_rows(acoustic.inputs[index][0]) for index in starts)
    chunks = tuple(frames for call in vocoder.inputs for frames in _real_frames(call[0], *call[1:]))
    return SynthesisObservation(
        acoustic=_model_seen(pipeline.voice.dit, acoustic, hooks.dtypes["acoustic"]),
        vocoder=_model_seen(pipeline.voice.vocoder, vocoder, hooks.dtypes["vocoder"]),
        chunks=chunks,
        planned=tuple(hooks.planned),
        times=tuple(float(call[3][0]) for call in first),
        first_states=tuple(state for index in starts for state in _states(acoustic.inputs[index])),
        batches=tuple(call[0].shape[0] // together[0] for call in first),
        guidance=_guidance(first, acoustic.outputs, together[0] if together else 0),
        speakers=frozenset(hooks.speakers),
        graph_breaks=graph_breaks(),
        recompiled=recompiled,
        threads=torch.get_num_threads(),
        tf32_error=_tf32_error(pipeline.device),
        text=request.text,
        phone_ids=tuple(hooks.phone_ids),
        together=together,
        prompt=prompt_seen(
            [known for index in starts for known in _known(acoustic.inputs[index])],
            left=chunks,
            texts=hooks.texts,
            encoded=encoded,
            scale=hooks.scale,
        ),
        outputs=tuple(
            tuple(acoustic.outputs[start:end]) for start, end in zip(starts, ends, strict=True)
        ),
        moments=tuple(
            tuple(float(call[3][0]) for call in acoustic.inputs[start:end])
            for start, end in zip(starts, ends, strict=True)
        ),
        crowd=crowd.seen([acoustic.marks[index] for index in starts], vocoder.marks),
    )


def _starts(acoustic: Recorder) -> list[int]:
    """Say which calls were the first of their pass."""
    return [index for index, call in enumerate(acoustic.inputs) if float(call[3][0]) == 0.0]


def _rearrange(acoustic: Recorder, vocoder: Recorder, hooks: Hooks, seed: int) -> None:
    """Put what several threads did in the order of the chunks, as one thread would have done it."""
    starts = _starts(acoustic)
    states = [_states(acoustic.inputs[index]) for index in starts]
    begun, firsts = [acoustic.marks[index] for index in starts], [several[0] for several in states]
    passes = Passes(begun, firsts, seed, sum(map(len, states)))
    for recorder in (acoustic, vocoder):
        recorder.rearrange(passes.of)
    hooks.texts = rearranged(hooks.texts, hooks.text_marks, passes.coming)


def _told_rows(state: Tensor) -> int:
    """Count the utterances of a call: guidance shows every state twice, told and untold."""
    half = state.shape[0] // 2
    return half if half and torch.equal(state[:half], state[half:]) else state.shape[0]


def _real_frames(batch: Tensor, mask: Tensor | None = None) -> list[int]:
    """Give the frames of every row that are no padding."""
    if mask is None:
        return [batch.shape[1]] * batch.shape[0]
    return [int(count) for count in mask.reshape(mask.shape[0], -1).sum(dim=1)]


def _states(call: tuple[Tensor, ...]) -> list[Tensor]:
    """
    Give the state of every utterance of a call to the acoustic model, (1, T, bands) each, without
    padding.
    """
    state, frames = call[0], _real_frames(call[0], *call[4:])
    return [state[row : row + 1, : frames[row]].cpu() for row in range(_told_rows(state))]


def _known(call: tuple[Tensor, ...]) -> list[Tensor]:
    """
    Give what every utterance of a call could copy from, (1 or 2, T, bands) each: told, and untold
    where it is guided.
    """
    count, frames = _told_rows(call[0]), _real_frames(call[0], *call[4:])
    return [call[1][row::count, : frames[row]] for row in range(count)]


def _model_seen(model: nn.Module, recorder: Recorder, hooked: Counter[str]) -> ModelSeen:
    linears = [part for part in model.modules() if isinstance(part, nn.Linear)]
    weights = [*model.parameters(), *model.buffers()]
    compiled = compiled_from(recorder.core, model)
    graphs = graphs_of(compiled or model)
    return ModelSeen(
        calls=len(recorder.outputs),
        weight_dtypes=Counter(
            dtype_name(weight.dtype) for weight in weights if weight.is_floating_point()
        ),
        activation_dtypes=hooked + Counter(dtype_name(output.dtype) for output in recorder.outputs),
        devices=frozenset(str(x.device) for x in (*weights, *recorder.outputs)),
        linears=len(linears),
        int8_linears=sum(_is_int8(part.weight) for part in linears),
        weight_bytes=sum(_stored_bytes(weight) for weight in weights),
        fp32_bytes=sum(weight.numel() * 4 for weight in weights),
        compiled=compiled is not None and graphs > 0,
        graphs=graphs,
        sessions=recorder.probe.sessions(recorder.stage),
        products=None if is_compiled(recorder.core) else recorder.probe.products[recorder.stage],
        replays=recorder.probe.replays[recorder.stage],
        asked_frames=tuple(call[0].shape[1] for call in recorder.inputs),
        computed_frames=tuple(recorder.computed_frames),
    )


def _inner_tensors(weight: Tensor) -> list[Tensor]:
    """
    Give the tensors that a wrapper such as torchao's really stores; a plain tensor stores itself.
    """
    flatten = getattr(weight, "__tensor_flatten__", None)
    return [getattr(weight, name) for name in flatten()[0]] if flatten else [weight]


def _is_int8(weight: Tensor) -> bool:
    inner = _inner_tensors(weight)
    return any(part.dtype is torch.int8 and part.numel() == weight.numel() for part in inner)


def _stored_bytes(weight: Tensor) -> int:
    return sum(part.numel() * part.element_size() for part in _inner_tensors(weight))


def _guidance(
    first: list[tuple[Tensor, ...]], outputs: list[Tensor], count: int
) -> tuple[float | None, ...]:
    moves = zip(pairwise(first), outputs, strict=False)
    return tuple(_strength(call, after, output, count) for (call, after), output in moves)


def _strength(
    call: tuple[Tensor, ...], after: tuple[Tensor, ...], output: Tensor, count: int
) -> float | None:
    """
    Solve a move, state1 = state0 + h (told + s (told - untold)), for the strength s by least
    squares.
    """
    step = float(after[3][0]) - float(call[3][0])
    if output.shape[0] == count or not step:
        return None
    told, untold = output.double().chunk(2)
    moved = (after[0][:count].double() - call[0][:count].double()) / step
    direction = told - untold
    return float(((moved - told) * direction).sum() / direction.square().sum().clamp(min=1e-30))


def _tf32_error(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    a = torch.randn((256, 256), generator=torch.Generator().manual_seed(0))
    exact = a.double() @ a.double()
    rounded = (a.to(device) @ a.to(device)).double().cpu()
    return float((rounded - exact).norm() / exact.norm())
