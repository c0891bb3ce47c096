"""
The observer of flow-matching pipelines: runs one synthesis and records which models were called,
with which inputs, how often. It decides nothing.

`hooks` records the calls; this module summarises them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from voxgate.engine.vocoder.vocos import waveform
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.hooks import Hooks, Recorder, dtype_name, hooked_in
from voxgate.harness.targets.engine.output_checks import OutputSeen, UnmarkedTap
from voxgate.harness.targets.engine.prompt_probe import PromptSeen, counting, prompt_seen
from voxgate.harness.targets.engine.runtime_probe import (
    RuntimeProbe,
    SessionSeen,
    compiled_from,
    compiled_graphs,
    graph_breaks,
    graphs_of,
    is_compiled,
)
from voxgate.harness.targets.engine.thread_probe import (
    Crowd,
    CrowdSeen,
    Passes,
    could_meet,
    rearranged,
)

Value = TypeVar("Value")


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
    """Record of one observed synthesis, over all its chunks (a long text has several)."""

    acoustic: ModelSeen
    vocoder: ModelSeen
    chunks: tuple[int, ...]
    """Mel frames of every chunk."""
    planned: tuple[float, ...]
    """Mel frames of every chunk as the duration model predicts them at speed 1."""
    times: tuple[float, ...]
    """The flow times of the acoustic model's calls in the first chunk, in order."""
    first_states: tuple[Tensor, ...]
    """The state at the first call of every chunk, (1, T, bands): the initial noise."""
    batches: tuple[int, ...]
    """
    Rows per utterance in every call of the first pass, in order: two with guidance.
    """
    guidance: tuple[float | None, ...]
    """
    CFG strength of every solver step of the first pass, recovered by least squares; None where it
    cannot be identified.
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
    """Input of the duration model, chunk by chunk."""
    durations: tuple[tuple[float, ...], ...]
    """Its output: mel frames of every phone at speed 1, not rounded."""
    known_phones: int
    """Rows of the acoustic model's table of phones."""
    together: tuple[int, ...]
    """
    Chunks in each pass of the acoustic model: its rows, those doubled by guidance counted once.
    """
    prompt: PromptSeen
    """The voice prompt that the model received."""
    outputs: tuple[tuple[Tensor, ...], ...]
    """Output of the acoustic model, call by call, of every pass."""
    moments: tuple[tuple[float, ...], ...]
    """The flow times of these calls."""
    crowd: CrowdSeen
    """The threads in which all this ran."""
    output: OutputSeen
    """The audio."""


def observe(
    pipeline: Any, request: Request, listening: Hooks | None = None
) -> SynthesisObservation:
    """
    Run one request under observation; the pipeline is left unchanged. `listening`: hooks, if not
    flow's.
    """
    graphs_before = compiled_graphs()
    crowd = Crowd(could_meet(pipeline, request.text))
    hooks = listening or Hooks(pipeline)
    hooks.crowd = crowd
    with (
        hooked_in(pipeline, RuntimeProbe(crowd), hooks) as (acoustic, vocoder),
        counting(
            getattr(pipeline, "prompts", None),
            hooks.speakers,
            hooks.planned,
            hooks.texts,
            hooks.text_marks,
            hooks.phone_ids,
            hooks.durations,
        ) as encoded,
        UnmarkedTap(pipeline) as tap,
    ):
        delivered = pipeline.synthesize(request.text, request.options)
    if len({mark.thread for mark in acoustic.marks}) > 1:
        _rearrange(acoustic, vocoder, hooks, int(request.options.get("seed", pipeline.config.seed)))
    return _seen(
        pipeline,
        request,
        hooks,
        acoustic,
        vocoder,
        crowd,
        OutputSeen(
            delivered=delivered,
            unmarked=tap.audio(),
            first_chunk=next(_made(pipeline, vocoder), np.zeros(0, np.float32)),
            chunks=tuple(_made(pipeline, vocoder)),
            rate_hz=pipeline.sample_rate_hz,
        ),
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
    output: OutputSeen,
    *,
    encoded: int,
    recompiled: int,
) -> SynthesisObservation:
    """Summarise the records of a synthesis."""
    starts = _starts(acoustic)
    first = next(iter(_by_pass(acoustic.inputs, starts)), ())
    passes = [acoustic.inputs[index] for index in starts]
    together = tuple(_utterances(call[0]) for call in passes)
    chunks = tuple(chain.from_iterable(_real_frames(call[0], *call[1:]) for call in vocoder.inputs))
    return SynthesisObservation(
        acoustic=model_seen(pipeline.voice.dit, acoustic, hooks.dtypes["acoustic"]),
        vocoder=model_seen(pipeline.voice.vocoder, vocoder, hooks.dtypes["vocoder"]),
        chunks=chunks,
        planned=tuple(hooks.planned),
        times=tuple(float(call[3][0]) for call in first),
        first_states=tuple(chain.from_iterable(map(_states, passes))),
        batches=tuple(call[0].shape[0] // together[0] for call in first),
        guidance=_guidance(first, acoustic.outputs, together[0] if together else 0),
        speakers=frozenset(hooks.speakers),
        graph_breaks=graph_breaks(),
        recompiled=recompiled,
        threads=torch.get_num_threads(),
        tf32_error=_tf32_error(pipeline.device),
        text=request.text,
        phone_ids=tuple(hooks.phone_ids),
        durations=tuple(hooks.durations),
        known_phones=_known_phones(pipeline),
        together=together,
        prompt=prompt_seen(
            list(chain.from_iterable(map(_prompt_mels, passes))),
            left=chunks,
            texts=hooks.texts,
            encoded=encoded,
            scale=hooks.scale,
        ),
        outputs=_by_pass(acoustic.outputs, starts),
        moments=_by_pass([float(call[3][0]) for call in acoustic.inputs], starts),
        crowd=crowd.seen([acoustic.marks[index] for index in starts], vocoder.marks),
        output=output,
    )


def _known_phones(pipeline: Any) -> int:
    embed = pipeline.voice.dit.text_embed
    return int(embed.phone.num_embeddings) if hasattr(embed, "phone") else 0


def _made(pipeline: Any, vocoder: Recorder) -> Iterator[np.ndarray]:
    """Yield every chunk as the vocoder made it, float32 (T,)."""
    for call, output in zip(vocoder.inputs, vocoder.outputs, strict=False):
        for row, frames in enumerate(_real_frames(call[0], *call[1:])):
            spectrum = output[row : row + 1, :frames]
            made: np.ndarray = (
                waveform(spectrum, pipeline.voice.vocoder.shape)[0].float().cpu().numpy()
            )
            yield made


def _by_pass(values: Sequence[Value], starts: Sequence[int]) -> tuple[tuple[Value, ...], ...]:
    """Split values of every call by the pass that they belong to."""
    ends = [*starts[1:], len(values)]
    return tuple(tuple(values[start:end]) for start, end in zip(starts, ends, strict=bool(starts)))


def _starts(acoustic: Recorder) -> list[int]:
    """Return the indices of the calls that were the first of their pass."""
    return [index for index, call in enumerate(acoustic.inputs) if float(call[3][0]) == 0.0]


def _rearrange(acoustic: Recorder, vocoder: Recorder, hooks: Hooks, seed: int) -> None:
    """Sort the records of several threads by chunk, as a single thread would have made them."""
    starts = _starts(acoustic)
    states = [_states(acoustic.inputs[index]) for index in starts]
    begun, firsts = [acoustic.marks[index] for index in starts], [group[0] for group in states]
    passes = Passes(begun, firsts, seed, sum(map(len, states)))
    for recorder in (acoustic, vocoder):
        recorder.rearrange(passes.of)
    hooks.texts = rearranged(hooks.texts, hooks.text_marks, passes.coming)


def _utterances(state: Tensor) -> int:
    """Return the utterances of a call; guidance holds every state twice (cond, uncond)."""
    half = state.shape[0] // 2
    return half if half and torch.equal(state[:half], state[half:]) else state.shape[0]


def _real_frames(batch: Tensor, mask: Tensor | None = None) -> list[int]:
    """Return the frames of every row, without padding."""
    if mask is None:
        return [batch.shape[1]] * batch.shape[0]
    return [int(count) for count in mask.reshape(mask.shape[0], -1).sum(dim=1)]


def _states(call: tuple[Tensor, ...]) -> list[Tensor]:
    """
    Return the state of every utterance of a call to the acoustic model, (1, T, bands) each, without
    padding.
    """
    state, frames = call[0], _real_frames(call[0], *call[4:])
    return [state[row : row + 1, : frames[row]].cpu() for row in range(_utterances(state))]


def _prompt_mels(call: tuple[Tensor, ...]) -> list[Tensor]:
    """
    Return the prompt mel of every utterance of a call, (1 or 2, T, bands) each: cond, and uncond
    with guidance.
    """
    count, frames = _utterances(call[0]), _real_frames(call[0], *call[4:])
    return [call[1][row::count, : frames[row]] for row in range(count)]


def model_seen(model: nn.Module, recorder: Recorder, hooked: Counter[str]) -> ModelSeen:
    """Summarise the calls of a model, and the weights that it holds after them."""
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
    Return the tensors that a wrapper such as torchao's stores; a plain tensor stores itself.
    """
    flatten = getattr(weight, "__tensor_flatten__", None)
    return [getattr(weight, name) for name in flatten()[0]] if flatten else [weight]


def _is_int8(weight: Tensor | None) -> bool:
    if weight is None:  # packed into the layout of a library, which is not one of int8
        return False
    inner = _inner_tensors(weight)
    return any(part.dtype is torch.int8 and part.numel() == weight.numel() for part in inner)


def _stored_bytes(weight: Tensor) -> int:
    return sum(part.numel() * part.element_size() for part in _inner_tensors(weight))


def _guidance(
    first: Sequence[tuple[Tensor, ...]], outputs: list[Tensor], count: int
) -> tuple[float | None, ...]:
    moves = zip(pairwise(first), outputs, strict=False)
    return tuple(_strength(call, after, output, count) for (call, after), output in moves)


def _strength(
    call: tuple[Tensor, ...], after: tuple[Tensor, ...], output: Tensor, count: int
) -> float | None:
    """
    Solve a step, state1 = state0 + h (cond + s (cond - uncond)), for the strength s by least
    squares.
    """
    step = float(after[3][0]) - float(call[3][0])
    if output.shape[0] == count or not step:
        return None
    cond, uncond = output.double().chunk(2)
    moved = (after[0][:count].double() - call[0][:count].double()) / step
    direction = cond - uncond
    return float(((moved - cond) * direction).sum() / direction.square().sum().clamp(min=1e-30))


def _tf32_error(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    a = torch.randn((256, 256), generator=torch.Generator().manual_seed(0))
    exact = a.double() @ a.double()
    rounded = (a.to(device) @ a.to(device)).double().cpu()
    return float((rounded - exact).norm() / exact.norm())
