"""
Sees which runtime computes a stage: sessions of ONNX Runtime that ran in it, matrix products that
torch did in it, CUDA graphs that were replayed in it.

Sessions and graphs are counted at ONNX Runtime's and torch's own classes, products at torch's
dispatcher, all below anything that the engine could say of itself. A compiled stage is not looked
into: a dispatch mode would switch its graph off.

What torch.compile made of our engine's models: which it compiled, how many graphs dynamo holds,
what CUDA recorded.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from harness.targets.engine.thread_probe import Crowd

PRODUCTS = (
    *("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "_int_mm", "_linear_pointwise"),
    *("convolution", "conv1d", "conv2d", "scaled_dot_product_attention"),
)
"""
Operators that any model consists of, as inference reaches the dispatcher: whole, or taken apart.
"""
RUNS = ("run", "run_with_iobinding", "run_with_ort_values", "run_with_ortvaluevector")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    """One session of ONNX Runtime during one stage."""

    provider: str
    """The first of those that it has: what it computes with."""
    threads: int
    runs: int


class RuntimeProbe:
    """Counts by stage, while `watching`, whatever the thread; `crowd` counts the threads."""

    def __init__(self, crowd: Crowd | None = None) -> None:
        self.crowd = crowd or Crowd()
        self.products: Counter[str] = Counter()
        self.replays: Counter[str] = Counter()
        """Of CUDA graphs; the first one of a graph comes with its recording."""
        self._runs: Counter[tuple[str, int]] = Counter()
        self._sessions: dict[int, Any] = {}
        self._looking = _Products(self._note_product)
        self._here = threading.local()
        self._counting = threading.Lock()

    @property
    def _stage(self) -> str:
        """The stage that this thread is in."""
        stage: str = getattr(self._here, "stage", "")
        return stage

    @contextmanager
    def within(self, stage: str, *, look_into: bool) -> Iterator[None]:
        """Count for a stage what happens inside; `look_into` counts torch's products, too."""
        before, self._here.stage = self._stage, stage
        try:
            if look_into:
                with self._looking:
                    yield
            else:
                yield
        finally:
            self._here.stage = before

    def _note_product(self) -> AbstractContextManager[None]:
        with self._counting:
            self.products[self._stage] += 1
        return self.crowd.inside()

    def note_run(self, session: Any) -> None:
        """Count one run of a session."""
        with self._counting:
            self._sessions[id(session)] = session
            self._runs[self._stage, id(session)] += 1

    def note_replay(self) -> None:
        """Count one replay of a CUDA graph."""
        with self._counting:
            self.replays[self._stage] += 1

    def sessions(self, stage: str) -> tuple[SessionSeen, ...]:
        """Give the sessions that ran in a stage."""
        found = [
            (self._sessions[key], runs)
            for (where, key), runs in self._runs.items()
            if where == stage
        ]
        return tuple(
            SessionSeen(
                provider=session.get_providers()[0],
                threads=int(session.get_session_options().intra_op_num_threads),
                runs=runs,
            )
            for session, runs in found
        )


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch tells no types
    """
    Spans every product that reaches torch's dispatcher by `note()`; one for all threads that look.

    torch notes in the process, and not for each thread, that some mode is on, and each mode puts
    back what it found. Were there a mode for each thread, the last to leave could put back that
    another is still on.
    """

    def __init__(self, note: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._note = note
        self._turning = threading.Lock()

    def __enter__(self) -> "_Products":
        with self._turning:
            super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: object) -> None:
        with self._turning:
            super().__exit__(*raised)  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """
        Say no, else torch imports its compiler for this, into a process whose memory is measured.
        """
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS:
            with self._note():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


@contextmanager
def watching(probe: RuntimeProbe) -> Iterator[None]:
    """Have every session and every CUDA graph of this process tell the probe when it runs."""
    with _watching_sessions(probe), _watching_graphs(probe):
        yield


@contextmanager
def _watching_graphs(probe: RuntimeProbe) -> Iterator[None]:
    replay: Callable[..., None] = torch.cuda.CUDAGraph.replay

    def told(graph: torch.cuda.CUDAGraph) -> None:
        probe.note_replay()
        replay(graph)

    torch.cuda.CUDAGraph.replay = told  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.cuda.CUDAGraph.replay = replay  # type: ignore[method-assign]


@contextmanager
def _watching_sessions(probe: RuntimeProbe) -> Iterator[None]:
    runtime = sys.modules.get("onnxruntime")
    if runtime is None:  # nobody imported it, so nobody has a session
        yield
        return
    known = [name for name in RUNS if hasattr(runtime.InferenceSession, name)]
    originals = {name: getattr(runtime.InferenceSession, name) for name in known}
    own = {name for name in known if name in vars(runtime.InferenceSession)}
    for name, original in originals.items():
        setattr(runtime.InferenceSession, name, _told(probe, original))
    try:
        yield
    finally:
        for name, original in originals.items():
            if name in own:
                setattr(runtime.InferenceSession, name, original)
            else:
                delattr(runtime.InferenceSession, name)


def _told(probe: RuntimeProbe, original: Callable[..., Any]) -> Callable[..., Any]:
    def run(session: Any, *args: Any, **kwargs: Any) -> Any:
        probe.note_run(session)
        with probe.crowd.inside():
            return original(session, *args, **kwargs)

    return run


def is_compiled(called: object) -> bool:
    """Tell whether a call goes through torch.compile; asking imports nothing."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return dynamo is not None and isinstance(called, dynamo.OptimizedModule)


def compiled_from(called: object, model: nn.Module) -> nn.Module | None:
    """
    Give the module that torch.compile compiled for a call, if that is the model or works with the
    model's own parameters.
    """
    if not is_compiled(called):
        return None
    compiled: nn.Module = called._orig_mod  # type: ignore[attr-defined]
    return compiled if any(part is model for part in compiled.modules()) else None


def graphs_of(model: nn.Module) -> int:
    """Count the graphs that dynamo holds for the code of a model."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list

    return len(_debug_get_cache_entry_list(type(model).forward.__code__))


def graph_breaks() -> int:
    """Count the places where dynamo gave up on a graph in this process so far."""
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


def recordings() -> int:
    """
    Count what this thread's CUDA graphs cost beside compilation, so far.

    Each length runs once as it is and is recorded at its second time, before it is replayed;
    neither is known to dynamo.
    """
    trees = sys.modules.get("torch._inductor.cudagraph_trees")
    if trees is None:
        return 0
    from torch._dynamo.utils import counters

    managers = [
        each.tree_manager for each in getattr(trees.local, "tree_manager_containers", {}).values()
    ]
    run_once = sum(len(each.warmed_up_functions) for each in managers if each is not None)
    return run_once + int(counters["inductor"]["cudagraph_recorded_non_static_inputs"])
