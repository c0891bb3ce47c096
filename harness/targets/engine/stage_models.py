"""
Our engine's stages for a pass of their own: what the models were given is kept, and copies to and
from a device are a stage.

From outside, as the observer does: the engine is not asked to say anything that it does not say
anyway.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from engine.pipelines.flow import FlowPipeline
from engine.pipelines.infill import InfillPipeline
from harness.records.cell import Request
from harness.records.run import StageWork
from harness.targets.protocol import Alone, StageWatch

TRANSFER = "transfer"


class Transfers(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch tells no types
    """Counts whatever is copied from one device to another as a stage of its own."""

    def __init__(self, watch: StageWatch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._watch = watch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """
        Say no, else torch imports its compiler for this, into a process whose memory is measured.
        """
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        asked = kwargs or {}
        if not _crosses(func.overloadpacket.__name__, args, asked):
            return func(*args, **asked)
        with self._watch(TRANSFER):
            return func(*args, **asked)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """
        Look away: compiled code must not meet a dispatch mode, nor should a model's times hold what
        it costs.
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


def speak_and_keep(
    pipeline: FlowPipeline | InfillPipeline, request: Request, watch: StageWatch
) -> Mapping[str, Alone]:
    """
    Speak one request; gives the acoustic model and the vocoder alone, on what they were first
    given.
    """
    called = {"acoustic": pipeline.acoustic, "vocoder": pipeline.vocoder}
    transfers = Transfers(watch) if pipeline.device.type != "cpu" else None
    keepers = {name: _Keeper(inner, transfers) for name, inner in called.items()}
    pipeline.acoustic, pipeline.vocoder = keepers["acoustic"], keepers["vocoder"]
    try:
        if transfers is None:
            pipeline.synthesize(request.text, request.options, watch)
        else:
            with transfers:
                pipeline.synthesize(request.text, request.options, watch)
    finally:
        pipeline.acoustic, pipeline.vocoder = called["acoustic"], called["vocoder"]
    return {
        name: _alone(called[name], keeper.given, keeper.calls)
        for name, keeper in keepers.items()
        if keeper.given
    }


def _kept(x: Tensor) -> Tensor:
    """
    Copy a tensor, expanded where it was: compiled code knows its strides, and would be compiled
    again for others.
    """
    base = x
    for axis, stride in enumerate(x.stride()):
        base = base.narrow(axis, 0, 1) if stride == 0 else base
    return base.clone().expand(x.shape)


def _alone(model: Callable[..., Any], given: tuple[Any, ...], calls: int) -> Alone:
    """
    Say how to run a model alone, and what that has to do: both models are given frames first,
    (rows, frames, ...).
    """
    rows, frames = given[0].shape[:2]
    return Alone(
        run=partial(_run, model, given),
        work=StageWork(calls=calls, rows=int(rows), frames=int(frames)),
    )


@torch.inference_mode()
def _run(model: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return model(*args)


def _crosses(name: str, args: Any, asked: Mapping[str, Any]) -> bool:
    """Whether an operator copies a tensor to another device."""
    if name == "copy_":
        return bool(args[0].device != args[1].device)
    to = asked.get("device")
    return name == "_to_copy" and to is not None and torch.device(to).type != args[0].device.type
