"""
Watches our engine while it speaks: what was called, with what, how often. It judges nothing and believes nothing.

The two models are called through `pipeline.acoustic` and `pipeline.vocoder`; the observer stands in for both and passes
every call on. Linear layers tell their activations' dtype through forward hooks where a model runs eagerly; a compiled
one is left alone, because a hook would make it compile again.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from engine.pipelines.flow import FlowPipeline
from harness.cell import Request


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
    """Of every call in the first chunk, in order."""
    guidance: tuple[float | None, ...]
    """For every call in the first chunk the strength that explains the move to the next one; None where it does not show."""
    speakers: frozenset[int]
    graph_breaks: int
    recompiled: int
    threads: int
    tf32_error: float | None
    """Relative error of a float32 matrix product on the CUDA device; None on a CPU."""
    outputs: tuple[tuple[Tensor, ...], ...]
    """What the acoustic model gave, call by call, of every chunk."""
    moments: tuple[tuple[float, ...], ...]
    """The flow times of these calls."""
    phones: tuple[int, ...]
    """Of every chunk, as the duration model was told."""


class _Recorder:
    """Stands in for a model: counts the calls, keeps what the observer needs, passes everything on."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self.inner = inner
        self.inputs: list[tuple[Tensor, ...]] = []
        self.outputs: list[Tensor] = []

    def __call__(self, *args: Tensor) -> Tensor:
        output: Tensor = self.inner(*args)
        self.inputs.append(tuple(x.detach().clone() for x in args))
        self.outputs.append(output.detach().clone())
        return output


class _Hooks:
    """Listens to modules that run eagerly: dtypes of Linear activations, what the text embedding and durations are told."""

    def __init__(self, pipeline: FlowPipeline) -> None:
        self.dtypes: dict[str, Counter[str]] = {"acoustic": Counter(), "vocoder": Counter()}
        self.speakers: set[int] = set()
        self.planned: list[float] = []
        self.phones: list[int] = []
        self.handles = [
            pipeline.voice.dit.text_embed.register_forward_pre_hook(self._on_text),
            pipeline.voice.durations.register_forward_hook(self._on_durations),
        ]
        models = {"acoustic": (pipeline.voice.dit, pipeline.acoustic), "vocoder": (pipeline.voice.vocoder, pipeline.vocoder)}
        for name, (model, called) in models.items():
            if called is model:
                self._listen(name, model)

    def _listen(self, name: str, model: nn.Module) -> None:
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self.dtypes[name][_word(output.dtype)] += 1

        linears = (part for part in model.modules() if isinstance(part, nn.Linear))
        self.handles += [part.register_forward_hook(note) for part in linears]

    def _on_text(self, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.speakers.add(int(inputs[0].speaker[0, 0]) - 1)

    def _on_durations(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        from engine.content.alignment import EDGE_SILENCE_FRAMES, PACE

        self.planned.append(float(output[0, 1:-1].exp().sum()) * PACE + 2 * EDGE_SILENCE_FRAMES)
        self.phones.append(output.shape[1])


@contextmanager
def _watching(pipeline: FlowPipeline) -> Iterator[tuple[_Recorder, _Recorder, _Hooks]]:
    acoustic, vocoder = pipeline.acoustic, pipeline.vocoder
    hooks = _Hooks(pipeline)
    pipeline.acoustic, pipeline.vocoder = _Recorder(acoustic), _Recorder(vocoder)
    try:
        yield pipeline.acoustic, pipeline.vocoder, hooks
    finally:
        pipeline.acoustic, pipeline.vocoder = acoustic, vocoder
        for handle in hooks.handles:
            handle.remove()


def observe(pipeline: FlowPipeline, request: Request) -> Seen:
    """Let the pipeline speak one request under observation; afterwards it is as it was."""
    graphs_before = compiled_graphs()
    with _watching(pipeline) as (acoustic, vocoder, hooks):
        pipeline.synthesize(request.text, request.options)
    starts = [index for index, call in enumerate(acoustic.inputs) if float(call[3][0]) == 0.0]
    ends = [*starts[1:], len(acoustic.inputs)]
    first = acoustic.inputs[starts[0] : ends[0]] if starts else []
    return Seen(
        acoustic=_model_seen(pipeline.voice.dit, acoustic, hooks.dtypes["acoustic"]),
        vocoder=_model_seen(pipeline.voice.vocoder, vocoder, hooks.dtypes["vocoder"]),
        chunks=tuple(call[0].shape[1] for call in vocoder.inputs),
        planned=tuple(hooks.planned),
        times=tuple(float(call[3][0]) for call in first),
        first_states=tuple(acoustic.inputs[index][0][:1].cpu() for index in starts),
        batches=tuple(call[0].shape[0] for call in first),
        guidance=_guidance(first, acoustic.outputs),
        speakers=frozenset(hooks.speakers),
        graph_breaks=_graph_breaks(),
        recompiled=compiled_graphs() - graphs_before,
        threads=torch.get_num_threads(),
        tf32_error=_tf32_error(pipeline.device),
        outputs=tuple(tuple(acoustic.outputs[start:end]) for start, end in zip(starts, ends, strict=True)),
        moments=tuple(
            tuple(float(call[3][0]) for call in acoustic.inputs[start:end]) for start, end in zip(starts, ends, strict=True)
        ),
        phones=tuple(hooks.phones),
    )


def _model_seen(model: nn.Module, recorder: _Recorder, hooked: Counter[str]) -> ModelSeen:
    linears = [part for part in model.modules() if isinstance(part, nn.Linear)]
    weights = [*model.parameters(), *model.buffers()]
    graphs = _graphs_of(model)
    return ModelSeen(
        calls=len(recorder.outputs),
        weight_dtypes=Counter(_word(weight.dtype) for weight in weights if weight.is_floating_point()),
        activation_dtypes=hooked + Counter(_word(output.dtype) for output in recorder.outputs),
        devices=frozenset(str(x.device) for x in (*weights, *recorder.outputs)),
        linears=len(linears),
        int8_linears=sum(_is_int8(part.weight) for part in linears),
        weight_bytes=sum(_stored_bytes(weight) for weight in weights),
        fp32_bytes=sum(weight.numel() * 4 for weight in weights),
        compiled=_is_compiled(recorder.inner) and graphs > 0,
        graphs=graphs,
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


def _guidance(first: list[tuple[Tensor, ...]], outputs: list[Tensor]) -> tuple[float | None, ...]:
    return tuple(_strength(call, after, output) for (call, after), output in zip(pairwise(first), outputs, strict=False))


def _strength(call: tuple[Tensor, ...], after: tuple[Tensor, ...], output: Tensor) -> float | None:
    """Solve a move, state1 = state0 + h (told + s (told - untold)), for the strength s by least squares."""
    step = float(after[3][0]) - float(call[3][0])
    if output.shape[0] == 1 or not step:
        return None
    told, untold = output.double().chunk(2)
    moved = (after[0][:1].double() - call[0][:1].double()) / step
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
