"""
voxgate.harness.targets.engine.stage_models: what the models were given is kept and can run again;
copies between devices are a stage.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from tests.engine.pipelines.token_voice import write_random_token_voice
from voxgate.engine.pipelines.flow import STAGES, FlowPipeline
from voxgate.engine.pipelines.token import TokenPipeline
from voxgate.harness.machine.clock import StageWatch, WallClock
from voxgate.harness.records.cell import Request
from voxgate.harness.runner.stage_profile import LEAST_TIMES, profile_stages
from voxgate.harness.targets.engine.stage_models import Transfers
from voxgate.harness.targets.engine.target import EngineTarget

REQUEST = Request(id="u001", text="Hello there, how are you today?")


@pytest.fixture(name="target")
def _target(voice_folder):
    target = EngineTarget()
    target.pipeline = FlowPipeline.load({"threads": 1, "nfe_steps": 4}, voice_folder)
    return target


def test_each_model_runs_once_on_what_it_was_given(target) -> None:
    calls = []
    target.pipeline.voice.dit.register_forward_hook(
        lambda module, args, output: calls.append((args, output))
    )
    alone = target.isolated_stages(REQUEST, StageWatch(WallClock()))
    count = len(calls)
    alone["acoustic"].run()

    assert set(alone) == {"acoustic", "vocoder"}
    assert len(calls) == count + 1
    assert torch.equal(calls[-1][1], calls[0][1]), (
        "the first call's input gives the first call's output"
    )
    assert alone["vocoder"].run().shape[0] == 1


@pytest.mark.parametrize("kind", ["off", "dynamic", "static"])
def test_a_pass_that_fills_a_kv_cache_runs_again_as_the_first_time(tmp_path, kind) -> None:
    """Each run begins with the cache as it was given, or the sequence would grow."""
    target = EngineTarget()
    target.pipeline = TokenPipeline.load(
        {"threads": 1, "nfe_steps": 1, "max_tokens": 12, "kv_cache": kind},
        write_random_token_voice(tmp_path),
    )
    alone = target.isolated_stages(REQUEST, StageWatch(WallClock()))
    first, *others = (alone["tokens"].run()[0] for _ in range(70))

    assert set(alone) == {"tokens", "acoustic", "vocoder"}
    assert all(torch.equal(first, other) for other in others)
    work = alone["tokens"].work
    assert work is not None
    assert work.rows == 2 and 1 < work.calls <= 12


def test_it_says_how_much_work_that_is(voice_folder) -> None:
    """
    Counted here at the modules; guidance doubles the rows of the acoustic model, chunks are calls
    of their own.
    """
    target = EngineTarget()
    target.pipeline = FlowPipeline.load(
        {"threads": 1, "nfe_steps": 2, "chunk_characters": 80}, voice_folder
    )
    given: dict[str, list[tuple[int, ...]]] = {"acoustic": [], "vocoder": []}
    for name, model in (
        ("acoustic", target.pipeline.voice.dit),
        ("vocoder", target.pipeline.voice.vocoder),
    ):
        model.register_forward_pre_hook(
            lambda _module, args, name=name: given[name].append(tuple(args[0].shape[:2]))
        )
    alone = target.isolated_stages(
        Request(
            id="u002",
            text=f"{REQUEST.text} I am well, and the weather was kind to all of us this week.",
        ),
        StageWatch(WallClock()),
    )

    for name, rows in (("acoustic", 2), ("vocoder", 1)):
        work = alone[name].work
        assert work is not None
        assert (work.rows, work.frames) == given[name][0]
        assert work.calls == len(given[name])
        assert work.rows == rows
    assert len(given["vocoder"]) == 2


def test_the_pipeline_is_as_it_was_afterwards(target) -> None:
    before = target.pipeline.synthesize(REQUEST.text)
    target.isolated_stages(REQUEST, StageWatch(WallClock()))

    assert target.pipeline.acoustic is target.pipeline.voice.dit
    assert (target.pipeline.synthesize(REQUEST.text) == before).all()


def test_the_pass_accounts_for_the_whole(target) -> None:
    told = profile_stages(target, REQUEST, WallClock())

    assert tuple(told.stages_s) == STAGES
    assert told.wall_s == pytest.approx(sum(told.stages_s.values()) + told.unaccounted_s)
    assert all(
        len(several) >= LEAST_TIMES and min(several) > 0 for several in told.alone_s.values()
    )
    assert set(told.alone_s) == set(told.work) == {"acoustic", "vocoder"}


def test_copies_between_devices_are_a_stage_of_their_own() -> None:
    """`meta` stands for a GPU: a tensor without numbers is as far away as any other device."""
    seen = []

    @contextmanager
    def watch(stage: str) -> Iterator[None]:
        seen.append(stage)
        yield

    transfers = Transfers(watch)
    x = torch.ones(3)
    with transfers:
        there = x.to("meta")
        torch.empty(3, device="meta").copy_(x)
        assert seen == ["transfer", "transfer"]
        (x + x).to(torch.float64)
        x.to("cpu")
        there + there
        with transfers.paused():
            x.to("meta")
        x.to("meta")

    assert seen == ["transfer"] * 3


def test_a_compiled_model_is_not_compiled_again_to_run_alone(
    voice_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda model, **_: traced(model, dynamic=True, fullgraph=True, backend="eager"),
    )
    target = EngineTarget()
    target.pipeline = FlowPipeline.load(
        {"threads": 1, "nfe_steps": 2, "compile": "default"}, voice_folder
    )
    target.pipeline.synthesize("Another length, to begin with.")
    target.pipeline.synthesize(REQUEST.text)
    target.settled()
    alone = target.isolated_stages(REQUEST, StageWatch(WallClock()))
    alone["acoustic"].run()

    assert target.settled()
