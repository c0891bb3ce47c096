"""
Isolated stages of the engine: the inputs of each model's first call are kept, so that it can run by
itself; copies to and from a device are a stage of their own.

Everything is recorded from outside, through the callables of the pipeline's stages.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from voxgate.engine.pipelines.pipeline import Pipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.records.run import StageWork
from voxgate.harness.targets.engine.reels import synthesize_whole
from voxgate.harness.targets.protocol import IsolatedStage, StageWatch

TRANSFER = "transfer"


class Transfers(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts copies from one device to another as a stage of its own."""

    def __init__(self, watch: StageWatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._watch = watch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """
        Return False, else torch imports its compiler here, into a process whose memory is measured.
        """
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        keywords = kwargs or {}
        if not _crosses(func.overloadpacket.__name__, args, keywords):
            return func(*args, **keywords)
        with self._watch(TRANSFER):
            return func(*args, **keywords)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """
        Suspend counting: compiled code must not meet a dispatch mode, and a model's time must not
        contain its cost.
        """
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            self.__enter__()  # type: ignore[no-untyped-call]


class _Keeper:
    """
    Stands in for a model: counts the calls, keeps what the first was given, passes everything on.
    """

    def __init__(self, inner: Callable[..., Any], transfers: Transfers | None) -> None:
        self.inner = inner
        self.transfers = transfers
        self.given: tuple[Any, ...] | None = None
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        if self.given is None:
            self.given = tuple(_kept(x) if isinstance(x, Tensor) else x for x in args)
        if self.transfers is None:
            return self.inner(*args)
        with self.transfers.paused():
            return self.inner(*args)


def synthesize_and_isolate(
    pipeline: Pipeline[Any], request: Request, watch: StageWatch
) -> Mapping[str, IsolatedStage]:
    """Synthesise one request; return, by stage, its models with the inputs of their first call."""
    transfers = Transfers(watch) if pipeline.device.type != "cpu" else None
    originals = {stage: pipeline.callable_of(stage) for stage in pipeline.models}
    keepers = {stage: _Keeper(model, transfers) for stage, model in originals.items()}
    try:
        for stage, keeper in keepers.items():
            pipeline.replace_callable(stage, keeper)
        with nullcontext() if transfers is None else transfers:
            synthesize_whole(pipeline, request, watch)
    finally:
        for stage, model in originals.items():
            pipeline.replace_callable(stage, model)
    return {
        stage: _isolated(originals[stage], keeper.given, keeper.calls)
        for stage, keeper in keepers.items()
        if keeper.given
    }


def _kept(x: Tensor) -> Tensor:
    """
    Copy a tensor, expanded where it was: compiled code depends on strides, and would be compiled
    again for others.
    """
    base = x
    for axis, stride in enumerate(x.stride()):
        base = base.narrow(axis, 0, 1) if stride == 0 else base
    return base.clone().expand(x.shape)


def _isolated(model: Callable[..., Any], inputs: tuple[Any, ...], calls: int) -> IsolatedStage:
    """Return a model with its inputs, and the size of that work."""
    first = inputs[0]
    # (rows, frames, ...); a model with another first input has work of unknown size
    is_batch = isinstance(first, Tensor) and first.dim() > 1
    work = StageWork(calls=calls, rows=len(first), frames=first.shape[1]) if is_batch else None
    return IsolatedStage(run=partial(_run, model, inputs), work=work)


@torch.inference_mode()
def _run(model: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return model(*args)


def _crosses(name: str, args: Any, keywords: Mapping[str, Any]) -> bool:
    """Whether an operator copies a tensor to another device."""
    if name == "copy_":
        return bool(args[0].device != args[1].device)
    to = keywords.get("device")
    return name == "_to_copy" and to is not None and torch.device(to).type != args[0].device.type
