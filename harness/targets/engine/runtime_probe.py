"""
Records which runtime computes a stage: sessions of ONNX Runtime, matrix products of torch, replays
of CUDA graphs; and the result of torch.compile: compiled models, dynamo's graphs, CUDA's
recordings.

Sessions and graphs are counted at ONNX Runtime's and torch's own classes, products at torch's
dispatcher, all below anything that the engine reports of itself. Products of a compiled stage are
not counted: a dispatch mode would disable its graph.
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

from voxgate.harness.targets.engine.thread_probe import Crowd

PRODUCTS = (
    *("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "_int_mm", "_linear_pointwise"),
    *("convolution", "conv1d", "conv2d", "scaled_dot_product_attention"),
)
"""
Operators that every model consists of, as inference reaches the dispatcher: whole, or decomposed.
"""
RUNS = ("run", "run_with_iobinding", "run_with_ort_values", "run_with_ortvaluevector")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    """One session of ONNX Runtime during one stage."""

    provider: str
    """The first of its execution providers."""
    threads: int
    runs: int


class RuntimeProbe:
    """Counts by stage, while `watching`, in any thread; `crowd` counts the threads."""

    def __init__(self, crowd: Crowd | None = None) -> None:
        self.crowd = crowd or Crowd()
        self.products: Counter[str] = Counter()
        self.replays: Counter[str] = Counter()
        """Of CUDA graphs; the first replay of a graph comes with its recording."""
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
        """Count calls inside the block for a stage; with `look_into`, torch's products too."""
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
        """Return the sessions that ran in a stage."""
        ran = [
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
            for session, runs in ran
        )


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """
    Wraps every product that reaches torch's dispatcher in `note()`; one mode for all threads.

    torch records per process, not per thread, that some mode is on, and each mode restores what it
    found. With a mode per thread, the last to leave could restore that another is still on.
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
        Return False, else torch imports its compiler here, into a process whose memory is measured.
        """
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS:
            with self._note():
                return func(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


@contextmanager
def watching(probe: RuntimeProbe) -> Iterator[None]:
    """Report every run of a session or CUDA graph of this process to the probe."""
    with _watching_sessions(probe), _watching_graphs(probe):
        yield


@contextmanager
def _watching_graphs(probe: RuntimeProbe) -> Iterator[None]:
    replay: Callable[..., None] = torch.cuda.CUDAGraph.replay

    def counted(graph: torch.cuda.CUDAGraph) -> None:
        probe.note_replay()
        replay(graph)

    torch.cuda.CUDAGraph.replay = counted  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.cuda.CUDAGraph.replay = replay  # type: ignore[method-assign]


@contextmanager
def _watching_sessions(probe: RuntimeProbe) -> Iterator[None]:
    runtime = sys.modules.get("onnxruntime")
    if runtime is None:  # not imported, so there is no session
        yield
        return
    methods = [name for name in RUNS if hasattr(runtime.InferenceSession, name)]
    originals = {name: getattr(runtime.InferenceSession, name) for name in methods}
    own = {name for name in methods if name in vars(runtime.InferenceSession)}
    for name, original in originals.items():
        setattr(runtime.InferenceSession, name, _counted(probe, original))
    try:
        yield
    finally:
        for name, original in originals.items():
            if name in own:
                setattr(runtime.InferenceSession, name, original)
            else:
                delattr(runtime.InferenceSession, name)


def _counted(probe: RuntimeProbe, original: Callable[..., Any]) -> Callable[..., Any]:
    def run(session: Any, *args: Any, **kwargs: Any) -> Any:
        probe.note_run(session)
        with probe.crowd.inside():
            return original(session, *args, **kwargs)

    return run


def is_compiled(called: object) -> bool:
    """Whether a call goes through torch.compile; imports nothing."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return dynamo is not None and isinstance(called, dynamo.OptimizedModule)


def compiled_from(called: object, model: nn.Module) -> nn.Module | None:
    """
    Return the module that torch.compile compiled for a call, if that is the model or contains it;
    else None.
    """
    if not is_compiled(called):
        return None
    compiled: nn.Module = called._orig_mod  # type: ignore[attr-defined]
    return compiled if any(part is model for part in compiled.modules()) else None


def graphs_of(model: nn.Module) -> int:
    """Return the number of graphs that dynamo holds for the code of a model."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list

    return len(_debug_get_cache_entry_list(type(model).forward.__code__))


def compiled_method_graphs(called: object, model: nn.Module) -> int:
    """
    Return the number of graphs that dynamo holds for a compiled method of a model; 0 if what is
    called is not made of one.
    """
    original = getattr(called, "_torchdynamo_orig_callable", None)
    if original is None or getattr(original, "__self__", None) is not model:
        return 0
    from torch._C._dynamo.eval_frame import _debug_get_cache_entry_list

    return len(_debug_get_cache_entry_list(original.__func__.__code__))


def graph_breaks() -> int:
    """Return the number of graph breaks of dynamo in this process so far."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())


def compiled_graphs() -> int:
    """Return the number of graphs that dynamo compiled in this process so far."""
    if "torch._dynamo" not in sys.modules:
        return 0
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def recordings() -> int:
    """
    Return the number of runs that CUDA graphs of this thread cost beside compilation, so far.

    Each length runs once eagerly and is recorded at its second run, before it is replayed; dynamo
    counts neither.
    """
    trees = sys.modules.get("torch._inductor.cudagraph_trees")
    if trees is None:
        return 0
    from torch._dynamo.utils import counters

    containers = getattr(trees.local, "tree_manager_containers", {}).values()
    managers = [container.tree_manager for container in containers]
    run_once = sum(len(trees.warmed_up_functions) for trees in managers if trees is not None)
    return run_once + int(counters["inductor"]["cudagraph_recorded_non_static_inputs"])
