"""
Watches our engine while it speaks: what was called, with what, how often. It judges nothing and believes nothing.

The two models are called through `pipeline.acoustic` and `pipeline.vocoder`; the observer stands in for both and passes
every call on. Linear layers tell their activations' dtype through forward hooks where a model runs eagerly; a compiled
one is left alone, because a hook would make it compile again.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from engine.phones import PHONES
from harness.cell import Request
from harness.targets.engine_runtime import RuntimeProbe, SessionSeen, watching
from harness.targets.prompt_observer import PromptSeen, counting, prompt_seen
from harness.targets.workers_observer import Crowd, CrowdSeen, Mark, Passes, could_meet, rearranged


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeen:
    """One model during an observed synthesis. Counters map a dtype's name to how many tensors had it."""

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
    """Matrix products that torch did while the model was called; None where compiled code is not looked into."""
    asked_frames: tuple[int, ...]
    """Of every call."""
    computed_frames: tuple[int, ...]
    """Of every call that reached what computes, padding included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
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
    """How often every call of the first pass held each of its utterances, in order: twice where it is guided."""
    guidance: tuple[float | None, ...]
    """For every call of the first pass the strength that explains the move to the next one; None where it does not show."""
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
    """How many chunks went through each pass of the acoustic model: its rows, those that guidance doubles counted once."""
    prompt: PromptSeen
    """What it was told of a reference recording."""
    outputs: tuple[tuple[Tensor, ...], ...]
    """What the acoustic model gave, call by call, of every pass."""
    moments: tuple[tuple[float, ...], ...]
    """The flow times of these calls."""
    crowd: CrowdSeen
    """In which threads all this was."""


class _Recorder:
    """Stands in for a model: counts the calls, keeps what the observer needs, passes everything on."""

    def __init__(self, stage: str, inner: Any, probe: RuntimeProbe) -> None:
        self.stage = stage
        self.inner = inner
        self.core = getattr(inner, "inner", inner)
        """What computes: behind a pass that wraps it, such as padding, what that one calls."""
        self.probe = probe
        self.marks: list[Mark] = []
        """Of every call."""
        self.inputs: list[tuple[Tensor, ...]] = []
        self.outputs: list[Tensor] = []
        self.computed_frames: list[int] = []
        self.reached: list[Mark] = []
        """Of every call that reached what computes."""
        self._noting = threading.Lock()
        if self.core is not inner:
            inner.inner = self._reach

    def __call__(self, *args: Tensor) -> Tensor:
        mark = self.probe.crowd.mark()
        with self.probe.within(self.stage, look_into=not _is_compiled(self.core)):
            output: Tensor = self.inner(*args) if self.core is not self.inner else self._reach(*args)
        given, gave = tuple(x.detach().clone() for x in args), output.detach().clone()
        with self._noting:
            self.inputs.append(given)
            self.outputs.append(gave)
            self.marks.append(mark)
        return output

    def _reach(self, *args: Tensor) -> Tensor:
        with self._noting:
            self.computed_frames.append(args[0].shape[1])
            self.reached.append(self.probe.crowd.mark())
        output: Tensor = self.core(*args)
        return output

    def rearrange(self, rank: Callable[[Mark], int]) -> None:
        """Put the notes in the order of the passes that they belong to."""
        self.computed_frames = rearranged(self.computed_frames, self.reached, rank)
        self.inputs, self.outputs = rearranged(self.inputs, self.marks, rank), rearranged(self.outputs, self.marks, rank)
        self.marks = rearranged(self.marks, self.marks, rank)

    def give_back(self) -> Any:
        """Give what this stood in for, as it was."""
        if self.core is not self.inner:
            self.inner.inner = self.core
        return self.inner


class Hooks:
    """Listens to modules that run eagerly: dtypes of Linear activations, what the text embedding and durations are told."""

    def __init__(self, pipeline: Any) -> None:
        self.dtypes: dict[str, Counter[str]] = {"acoustic": Counter(), "vocoder": Counter()}
        self.speakers: list[int] = []
        self.planned: list[float] = []
        self.phone_ids: list[tuple[int, ...]] = []
        self.texts: list[tuple[str, ...]] = []
        self.crowd = Crowd()
        self.text_marks: list[Mark] = []
        self._noting = threading.Lock()
        self.scale = (0.0, 1.0)
        self.handles = self.attach(pipeline)
        models = {"acoustic": (pipeline.voice.dit, pipeline.acoustic), "vocoder": (pipeline.voice.vocoder, pipeline.vocoder)}
        for name, (model, called) in models.items():
            if not _is_compiled(getattr(called, "inner", called)):
                self._listen(name, model)

    def attach(self, pipeline: Any) -> list[Any]:
        """Listen to what is told; another pipeline's hooks listen elsewhere."""
        self.scale = (pipeline.voice.mel_mean, pipeline.voice.mel_std)
        return [
            pipeline.voice.dit.text_embed.register_forward_pre_hook(self._on_text),
            pipeline.voice.durations.register_forward_hook(self._on_durations),
        ]

    def _listen(self, name: str, model: nn.Module) -> None:
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            with self._noting:
                self.dtypes[name][_word(output.dtype)] += 1

        linears = (part for part in model.modules() if isinstance(part, nn.Linear))
        self.handles += [part.register_forward_hook(note) for part in linears]

    def _on_text(self, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.speakers += sorted({speaker - 1 for speaker in inputs[0].speaker[0].tolist() if speaker})
        with self._noting:
            self.texts.append(tuple(PHONES[phone] for phone in inputs[0].phone[0].tolist()))
            self.text_marks.append(self.crowd.mark())

    def _on_durations(self, _module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        from engine.content.alignment import EDGE_SILENCE_FRAMES, PACE

        self.planned.append(float(output[0, 1:-1].exp().sum()) * PACE + 2 * EDGE_SILENCE_FRAMES)
        self.phone_ids.append(tuple(inputs[0][0].tolist()))


@contextmanager
def _watching(pipeline: Any, probe: RuntimeProbe, hooks: Hooks) -> Iterator[tuple[_Recorder, _Recorder]]:
    acoustic, vocoder = _Recorder("acoustic", pipeline.acoustic, probe), _Recorder("vocoder", pipeline.vocoder, probe)
    pipeline.acoustic, pipeline.vocoder = acoustic, vocoder
    try:
        with watching(probe):
            yield acoustic, vocoder
    finally:
        pipeline.acoustic, pipeline.vocoder = acoustic.give_back(), vocoder.give_back()
        for handle in hooks.handles:
            handle.remove()


def observe(pipeline: Any, request: Request, listening: Hooks | None = None) -> Seen:
    """Let the pipeline speak one request under observation; afterwards it is as it was. `listening`: hooks, if not flow's."""
    graphs_before = compiled_graphs()
    crowd = Crowd(could_meet(pipeline, request.text))
    hooks = listening or Hooks(pipeline)
    hooks.crowd = crowd
    with (
        _watching(pipeline, RuntimeProbe(crowd), hooks) as (acoustic, vocoder),
        counting(pipeline.prompts, hooks.speakers, hooks.planned, hooks.texts, hooks.text_marks, hooks.phone_ids) as encoded,
    ):
        pipeline.synthesize(request.text, request.options)
    if len({mark.thread for mark in acoustic.marks}) > 1:
        _rearrange(acoustic, vocoder, hooks, int(request.options.get("seed", pipeline.config.seed)))
    starts = _starts(acoustic)
    ends = [*starts[1:], len(acoustic.inputs)]
    first = acoustic.inputs[starts[0] : ends[0]] if starts else []
    together = tuple(_told_rows(acoustic.inputs[index][0]) for index in starts)
    chunks = tuple(frames for call in vocoder.inputs for frames in _real_frames(call[0], *call[1:]))
    return Seen(
        acoustic=_model_seen(pipeline.voice.dit, acoustic, hooks.dtypes["acoustic"]),
        vocoder=_model_seen(pipeline.voice.vocoder, vocoder, hooks.dtypes["vocoder"]),
        chunks=chunks,
        planned=tuple(hooks.planned),
        times=tuple(float(call[3][0]) for call in first),
        first_states=tuple(state for index in starts for state in _states(acoustic.inputs[index])),
        batches=tuple(call[0].shape[0] // together[0] for call in first),
        guidance=_guidance(first, acoustic.outputs, together[0] if together else 0),
        speakers=frozenset(hooks.speakers),
        graph_breaks=_graph_breaks(),
        recompiled=compiled_graphs() - graphs_before,
        threads=torch.get_num_threads(),
        tf32_error=_tf32_error(pipeline.device),
        text=request.text,
        phone_ids=tuple(hooks.phone_ids),
        together=together,
        prompt=prompt_seen(
            [known for index in starts for known in _known(acoustic.inputs[index])],
            left=chunks,
            texts=hooks.texts,
            encoded=len(encoded),
            scale=hooks.scale,
        ),
        outputs=tuple(tuple(acoustic.outputs[start:end]) for start, end in zip(starts, ends, strict=True)),
        moments=tuple(
            tuple(float(call[3][0]) for call in acoustic.inputs[start:end]) for start, end in zip(starts, ends, strict=True)
        ),
        crowd=crowd.seen([acoustic.marks[index] for index in starts], vocoder.marks),
    )


def _starts(acoustic: _Recorder) -> list[int]:
    """Say which calls were the first of their pass."""
    return [index for index, call in enumerate(acoustic.inputs) if float(call[3][0]) == 0.0]


def _rearrange(acoustic: _Recorder, vocoder: _Recorder, hooks: Hooks, seed: int) -> None:
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
    """Give the state of every utterance of a call to the acoustic model, (1, T, bands) each, without padding."""
    state, frames = call[0], _real_frames(call[0], *call[4:])
    return [state[row : row + 1, : frames[row]].cpu() for row in range(_told_rows(state))]


def _known(call: tuple[Tensor, ...]) -> list[Tensor]:
    """Give what every utterance of a call could copy from, (1 or 2, T, bands) each: told, and untold where it is guided."""
    count, frames = _told_rows(call[0]), _real_frames(call[0], *call[4:])
    return [call[1][row::count, : frames[row]] for row in range(count)]


def _model_seen(model: nn.Module, recorder: _Recorder, hooked: Counter[str]) -> ModelSeen:
    linears = [part for part in model.modules() if isinstance(part, nn.Linear)]
    weights = [*model.parameters(), *model.buffers()]
    compiled = _compiled_from(recorder.core, model)
    graphs = _graphs_of(compiled or model)
    return ModelSeen(
        calls=len(recorder.outputs),
        weight_dtypes=Counter(_word(weight.dtype) for weight in weights if weight.is_floating_point()),
        activation_dtypes=hooked + Counter(_word(output.dtype) for output in recorder.outputs),
        devices=frozenset(str(x.device) for x in (*weights, *recorder.outputs)),
        linears=len(linears),
        int8_linears=sum(_is_int8(part.weight) for part in linears),
        weight_bytes=sum(_stored_bytes(weight) for weight in weights),
        fp32_bytes=sum(weight.numel() * 4 for weight in weights),
        compiled=compiled is not None and graphs > 0,
        graphs=graphs,
        sessions=recorder.probe.sessions(recorder.stage),
        products=None if _is_compiled(recorder.core) else recorder.probe.products[recorder.stage],
        asked_frames=tuple(call[0].shape[1] for call in recorder.inputs),
        computed_frames=tuple(recorder.computed_frames),
    )


def _inner_tensors(weight: Tensor) -> list[Tensor]:
    """Give the tensors that a wrapper such as torchao's really stores; a plain tensor stores itself."""
    flatten = getattr(weight, "__tensor_flatten__", None)
    return [getattr(weight, name) for name in flatten()[0]] if flatten else [weight]


def _is_int8(weight: Tensor) -> bool:
    inner = _inner_tensors(weight)
    return any(part.dtype is torch.int8 and part.numel() == weight.numel() for part in inner)


def _stored_bytes(weight: Tensor) -> int:
    return sum(part.numel() * part.element_size() for part in _inner_tensors(weight))


def _guidance(first: list[tuple[Tensor, ...]], outputs: list[Tensor], count: int) -> tuple[float | None, ...]:
    moves = zip(pairwise(first), outputs, strict=False)
    return tuple(_strength(call, after, output, count) for (call, after), output in moves)


def _strength(call: tuple[Tensor, ...], after: tuple[Tensor, ...], output: Tensor, count: int) -> float | None:
    """Solve a move, state1 = state0 + h (told + s (told - untold)), for the strength s by least squares."""
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


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _is_compiled(called: object) -> bool:
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return dynamo is not None and isinstance(called, dynamo.OptimizedModule)


def _compiled_from(called: object, model: nn.Module) -> nn.Module | None:
    """Give the module that torch.compile compiled for a call, if that is the model or works with the model's own parameters."""
    if not _is_compiled(called):
        return None
    compiled: nn.Module = called._orig_mod  # type: ignore[attr-defined]
    return compiled if any(part is model for part in compiled.modules()) else None


def _graphs_of(model: nn.Module) -> int:
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list

    return len(_debug_get_cache_entry_list(type(model).forward.__code__))


def _graph_breaks() -> int:
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())


def compiled_graphs() -> int:
    """Count the graphs that dynamo compiled in this process so far."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])
