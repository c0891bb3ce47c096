"""
CUDA graphs are counted where they are replayed, and what is still being recorded has not settled.

No GPU is needed: stand-ins for torch's own classes are replayed and recorded, at the places where
torch does it.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from voxgate.engine.config import Compile
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import SynthesisObservation, observe
from voxgate.harness.targets.engine.option_checks import CHECKS
from voxgate.harness.targets.engine.target import EngineTarget

REQUEST = Request(id="u001", text="Hello there, how are you today?")
STEPS = 4


class Graph:
    """Stands in for `torch.cuda.CUDAGraph`."""

    def replay(self) -> None:
        """Do nothing."""


def seen_of(
    voice_folder, monkeypatch: pytest.MonkeyPatch, replays: int, **asked: object
) -> SynthesisObservation:
    """Observe an engine whose compiled code replays so many graphs in every call."""

    def backend(graph, _inputs):
        def call(*given):
            for _ in range(replays):
                torch.cuda.CUDAGraph().replay()
            return graph(*given)

        return call

    real = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda model, **_: real(model, dynamic=True, fullgraph=True, backend=backend),
    )
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    pipeline = FlowPipeline.load({"threads": 1, "nfe_steps": STEPS, **asked}, voice_folder)
    pipeline.synthesize(REQUEST.text)
    return observe(pipeline, REQUEST)


def test_replays_are_those_of_the_model_that_makes_them(
    voice_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Graph.replay
    seen = seen_of(voice_folder, monkeypatch, 2, compile="default")

    assert (seen.acoustic.replays, seen.vocoder.replays) == (2 * STEPS, 0)
    assert CHECKS["compile"]({"compile": Compile.REDUCE_OVERHEAD}, seen).in_effect
    assert Graph.replay is replay, "it is as it was"


@pytest.mark.parametrize(("replays", "holds"), [(0, False), (1, True)])
def test_lie_reduce_overhead_without_cuda_graphs(
    voice_folder, monkeypatch: pytest.MonkeyPatch, replays: int, holds: bool
) -> None:
    """Inductor skips them with a warning where a model is not fit for them, and goes on without."""
    seen = seen_of(voice_folder, monkeypatch, replays, compile_vocoder="default")
    found = CHECKS["compile_vocoder"]({"compile_vocoder": Compile.REDUCE_OVERHEAD}, seen)
    assert found.in_effect is holds
    assert f"{replays} CUDA graphs replayed in 1 calls" in found.observed
    assert CHECKS["compile_vocoder"]({"compile_vocoder": Compile.DEFAULT}, seen).in_effect


@pytest.fixture(name="manager")
def _manager(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What torch keeps of a GPU's graphs, and `counters`."""
    import torch._dynamo.utils as dynamo

    made = SimpleNamespace(warmed_up_functions=set())
    containers = {0: SimpleNamespace(tree_manager=made), 1: SimpleNamespace(tree_manager=None)}
    trees = SimpleNamespace(local=SimpleNamespace(tree_manager_containers=containers))
    monkeypatch.setitem(sys.modules, "torch._inductor.cudagraph_trees", trees)
    monkeypatch.setitem(dynamo.counters, "inductor", dynamo.Counter())
    made.counters = dynamo.counters["inductor"]
    return made


def test_a_length_has_settled_once_its_graph_is_recorded(manager: SimpleNamespace) -> None:
    target = EngineTarget()
    target.settled()
    assert target.settled()
    manager.warmed_up_functions.add("a length, run as it is")
    assert not target.settled()
    manager.counters["cudagraph_recorded_non_static_inputs"] += 4
    assert not target.settled()
    assert target.settled(), "replayed from now on"


@pytest.mark.parametrize(
    "text",
    [
        "local.tree_manager_containers = {}",
        "self.tree_manager: ",
        "self.warmed_up_functions: ",
        'counters["inductor"]["cudagraph_recorded_non_static_inputs"] += ',
        "self.graph.replay()",
    ],
)
def test_the_names_that_are_looked_at_are_torchs_own(text: str) -> None:
    """
    They are no public interface: if torch renames one, this is to fail, and not the count in
    silence. Read, not imported.
    """
    source = Path(torch.__file__).parent / "_inductor" / "cudagraph_trees.py"
    assert text in source.read_text()
    assert "replay" in vars(torch.cuda.CUDAGraph)
