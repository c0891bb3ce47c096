"""
Hooks of the observer in the engine: recorders in place of the two models, and forward hooks on
modules that run eagerly.

A recorder replaces the callable of each stage and passes every call on. Forward hooks record the
dtype of Linear activations where a model runs eagerly; a compiled model gets none, because a hook
would make it compile again.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from voxgate.engine.config import Language
from voxgate.harness.targets.engine.runtime_probe import RuntimeProbe, is_compiled, watching
from voxgate.harness.targets.engine.thread_probe import Crowd, ThreadMark, rearranged


class Recorder:
    """
    Replaces a model: counts its calls, records inputs and outputs, passes everything on.
    """

    def __init__(self, stage: str, inner: Any, probe: RuntimeProbe) -> None:
        self.stage = stage
        self.inner = inner
        self.core = getattr(inner, "inner", inner)
        """The callable that computes: behind a wrapper such as padding, the one that it calls."""
        self.probe = probe
        self.marks: list[ThreadMark] = []
        """Of every call."""
        self.inputs: list[tuple[Tensor, ...]] = []
        self.outputs: list[Tensor] = []
        self.computed_frames: list[int] = []
        self.reached: list[ThreadMark] = []
        """Of every call that reached what computes."""
        self._noting = threading.Lock()
        if self.core is not inner:
            inner.inner = self._reach

    def __call__(self, *args: Tensor) -> Tensor:
        """Pass a call on; record its inputs and its output."""
        mark = self.probe.crowd.mark()
        with self.probe.within(self.stage, look_into=not is_compiled(self.core)):
            output: Tensor = (
                self.inner(*args) if self.core is not self.inner else self._reach(*args)
            )
        inputs, copied = tuple(x.detach().clone() for x in args), output.detach().clone()
        with self._noting:
            self.inputs.append(inputs)
            self.outputs.append(copied)
            self.marks.append(mark)
        return output

    def _reach(self, *args: Tensor) -> Tensor:
        with self._noting:
            self.computed_frames.append(args[0].shape[1])
            self.reached.append(self.probe.crowd.mark())
        output: Tensor = self.core(*args)
        return output

    def rearrange(self, rank: Callable[[ThreadMark], int]) -> None:
        """Sort the records by the pass that they belong to."""
        self.computed_frames = rearranged(self.computed_frames, self.reached, rank)
        self.inputs, self.outputs = (
            rearranged(self.inputs, self.marks, rank),
            rearranged(self.outputs, self.marks, rank),
        )
        self.marks = rearranged(self.marks, self.marks, rank)

    def restore(self) -> Any:
        """Return the replaced callable, as it was."""
        if self.core is not self.inner:
            self.inner.inner = self.core
        return self.inner


class Hooks:
    """
    Records modules that run eagerly: dtypes of Linear activations, inputs of the text embedding and
    of the duration model.
    """

    def __init__(self, pipeline: Any) -> None:
        self.dtypes: dict[str, Counter[str]] = {stage: Counter() for stage in pipeline.models}
        self.speakers: list[int] = []
        self.planned: list[float] = []
        self.phone_ids: list[tuple[int, ...]] = []
        self.durations: list[tuple[float, ...]] = []
        self.phones: tuple[str, ...] = Language.EN.phones
        self.texts: list[tuple[str, ...]] = []
        self.crowd = Crowd()
        self.text_marks: list[ThreadMark] = []
        self._noting = threading.Lock()
        self.scale = (0.0, 1.0)
        self.handles = self.attach(pipeline)
        for stage, model in pipeline.models.items():
            if self.is_eager(pipeline, stage):
                self._listen(stage, model)

    def is_eager(self, pipeline: Any, stage: str) -> bool:
        """Return whether nothing of a stage's model is compiled, so that hooks disturb nothing."""
        called = pipeline.callable_of(stage)
        return not is_compiled(getattr(called, "inner", called))

    def attach(self, pipeline: Any) -> list[Any]:
        """Register hooks on text embedding and duration model; a subclass has its own."""
        self.scale = (pipeline.voice.mel_mean, pipeline.voice.mel_std)
        self.phones = Language(str(getattr(pipeline.config, "language", Language.EN))).phones
        return [
            pipeline.voice.dit.text_embed.register_forward_pre_hook(self._on_text),
            pipeline.voice.durations.register_forward_hook(self._on_durations),
        ]

    def _listen(self, name: str, model: nn.Module) -> None:
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            with self._noting:
                self.dtypes[name][dtype_name(output.dtype)] += 1

        linears = (part for part in model.modules() if isinstance(part, nn.Linear))
        self.handles += [part.register_forward_hook(note) for part in linears]

    def _on_text(self, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self.speakers += sorted(
            {speaker - 1 for speaker in inputs[0].speaker[0].tolist() if speaker}
        )
        with self._noting:
            self.texts.append(tuple(map(self.phones.__getitem__, inputs[0].phone[0].tolist())))
            self.text_marks.append(self.crowd.mark())

    def _on_durations(self, _module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        from voxgate.engine.duration.alignment import DURATION_SCALE, EDGE_SILENCE_FRAMES

        planned = output[0].exp() * DURATION_SCALE
        self.durations.append(tuple(planned.tolist()))
        self.planned.append(float(planned[1:-1].sum()) + 2 * EDGE_SILENCE_FRAMES)
        self.phone_ids.append(tuple(inputs[0][0].tolist()))


@contextmanager
def hooked_in(
    pipeline: Any, probe: RuntimeProbe, hooks: Hooks
) -> Iterator[tuple[Recorder, Recorder]]:
    """Replace both models by recorders; afterwards the pipeline is as it was."""
    acoustic = Recorder("acoustic", pipeline.acoustic, probe)
    vocoder = Recorder("vocoder", pipeline.vocoder, probe)
    pipeline.acoustic, pipeline.vocoder = acoustic, vocoder
    try:
        with watching(probe):
            yield acoustic, vocoder
    finally:
        pipeline.acoustic, pipeline.vocoder = acoustic.restore(), vocoder.restore()
        for handle in hooks.handles:
            handle.remove()


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a dtype without the package."""
    return str(dtype).removeprefix("torch.")
