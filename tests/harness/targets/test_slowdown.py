"""The slowed target: more work in one stage, and nothing else different."""

import json
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import StageWatch
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.targets import slowdown
from voxgate.harness.targets.engine import target as engine
from voxgate.harness.targets.registry import make_target
from voxgate.harness.targets.scripted import STAGES, ScriptedTarget
from voxgate.harness.targets.slowdown import (
    APART,
    SLOWED,
    VIRTUAL_UNIT_S,
    WHOLE,
    SlowDown,
    SlowedTarget,
)

REQUEST = Request(id="r1", text="One.")
CELL = Cell(
    suite="s",
    target="scripted",
    pipeline="any",
    workload=Workload(name="w", requests=(REQUEST, Request(id="r2", text="Two."))),
    axes={"steps": 8},
    fixed={"audio_s": 0.1},
)
UNITS = {"steps-8": {"r1": 70, "r2": 5}}


def spoken(
    target: slowdown.Target, request: Request = REQUEST
) -> tuple[np.ndarray, dict[str, float]]:
    target.load(CELL, {})
    watch = StageWatch(target.clock)
    return np.concatenate(list(target.synthesize(request, watch))), watch.stages_s


def test_the_named_stage_takes_longer_by_the_units_and_the_audio_is_the_same() -> None:
    plain, before = spoken(ScriptedTarget())
    audio, stages_s = spoken(SlowedTarget(ScriptedTarget(), SlowDown(stage="vocoder", units=UNITS)))
    assert np.array_equal(audio, plain)
    assert stages_s.pop("vocoder") == pytest.approx(before.pop("vocoder") + 70 * VIRTUAL_UNIT_S)
    assert stages_s == pytest.approx(before)


def test_every_request_has_its_own_units() -> None:
    _, stages_s = spoken(
        SlowedTarget(ScriptedTarget(), SlowDown(stage="text", units=UNITS)),
        CELL.workload.requests[1],
    )
    assert stages_s["text"] == pytest.approx(0.1 * STAGES["text"] + 5 * VIRTUAL_UNIT_S)


def test_apart_the_work_is_a_stage_of_its_own() -> None:
    _, stages_s = spoken(
        SlowedTarget(ScriptedTarget(), SlowDown(stage="vocoder", units=UNITS, apart=True))
    )
    assert stages_s[APART] == pytest.approx(70 * VIRTUAL_UNIT_S)
    assert stages_s["vocoder"] == pytest.approx(0.1 * STAGES["vocoder"])


def test_a_stage_that_is_entered_twice_is_slowed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    target = SlowedTarget(ScriptedTarget(), SlowDown(stage="vocoder", units=UNITS))
    target.load(CELL, {})

    def twice(request: Request, watch: StageWatch) -> list[np.ndarray]:
        for _ in range(2):
            with watch("vocoder"):
                pass
        return [np.zeros(1, np.float32)]

    monkeypatch.setattr(target._inner, "synthesize", twice)
    watch = StageWatch(target.clock)
    list(target.synthesize(REQUEST, watch))
    assert watch.stages_s["vocoder"] == pytest.approx(70 * VIRTUAL_UNIT_S)


def test_a_target_without_stages_is_slowed_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    target = SlowedTarget(ScriptedTarget(), SlowDown(stage=WHOLE, units=UNITS, apart=True))
    monkeypatch.setattr(ScriptedTarget, "_stages_s", lambda *_: {})
    _, stages_s = spoken(target)
    assert stages_s == {APART: pytest.approx(70 * VIRTUAL_UNIT_S)}


def test_without_torch_the_work_is_done_by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    slowdown._work_on("cpu")(3)


def test_a_stage_that_the_target_does_not_have_is_refused() -> None:
    with pytest.raises(
        HarnessError,
        match="no stage 'vocodr' to slow down; its stages are text, content, acoustic, vocoder",
    ):
        spoken(SlowedTarget(ScriptedTarget(), SlowDown(stage="vocodr", units=UNITS)))


def test_a_request_without_units_is_refused() -> None:
    with pytest.raises(HarnessError, match="names no units for steps-8, request r2"):
        spoken(
            SlowedTarget(ScriptedTarget(), SlowDown(stage="vocoder", units={"steps-8": {"r1": 1}}))
        )


def test_the_environment_slows_a_target_and_its_absence_leaves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert isinstance(make_target("scripted"), ScriptedTarget)
    order = SlowDown(stage="vocoder", units=UNITS, apart=True)
    assert json.loads(order.env()[SLOWED])["units"] == UNITS
    monkeypatch.setenv(SLOWED, order.env()[SLOWED])
    target = make_target("scripted")
    assert isinstance(target, SlowedTarget)
    assert target._order == order


def test_what_the_worker_asks_for_is_the_other_targets() -> None:
    target = SlowedTarget(engine.EngineTarget(), SlowDown(stage="vocoder", units=UNITS))
    assert target.imports == engine.EngineTarget.imports
    assert getattr(target, "clock", None) is None


def test_the_engine_does_real_products_and_sounds_the_same(
    voice_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from voxgate.engine.pipelines.flow import FlowPipeline

    load = FlowPipeline.load
    monkeypatch.setattr(FlowPipeline, "load", lambda options: load(options, voice_folder))
    cell = Cell(
        suite="s",
        target="engine",
        pipeline="flow",
        workload=CELL.workload,
        axes={"nfe_steps": 2},
        fixed={"device": "cpu"},
    )
    products = []
    monkeypatch.setattr(torch, "mm", lambda *a, mm=torch.mm, **k: products.append(mm(*a, **k)))
    plain, more = (
        engine.EngineTarget(),
        SlowedTarget(
            engine.EngineTarget(),
            SlowDown(stage="vocoder", units={"nfe_steps-2": UNITS["steps-8"]}),
        ),
    )
    audio = []
    for target in (plain, more):
        target.load(cell, {"threads": 1})
        watch = StageWatch(slowed_clock())
        audio.append(np.concatenate(list(target.synthesize(REQUEST, watch))))
        assert set(watch.stages_s) == {"text", "content", "acoustic", "vocoder", "post"}
    assert np.array_equal(*audio)
    assert len(products) == 70
    assert torch.equal(
        products[-1], torch.full((slowdown.EDGE, slowdown.EDGE), 1.0 / slowdown.EDGE)
    )


def slowed_clock() -> object:
    from voxgate.harness.machine.clock import WallClock

    return WallClock()
