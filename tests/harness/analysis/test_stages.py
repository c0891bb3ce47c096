"""The stage that moved, from what stands side by side."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tests.harness.fake_runs import make_run
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.stages import moved_stage, pair_stages
from voxgate.harness.judging import explain
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.records.run import Run


def run(stages: Callable[[float], Mapping[str, float]], walls_s: list[list[float]]) -> Run:
    return make_run({"nfe-8": walls_s}, stages=stages)


def usual(wall_s: float) -> dict[str, float]:
    return {"acoustic": 0.9 * wall_s, "vocoder": 0.1 * wall_s}


def heavier(wall_s: float) -> dict[str, float]:
    return {"acoustic": 0.9 * wall_s, "vocoder": 0.2 * wall_s}


def paired(base: Run, head: Run, slug: str = "nfe-8") -> str:
    return moved_stage(pair_stages(base, head, slug))


def stored(base: Run, head: Run) -> str:
    """What a stored baseline would say, made of BASE."""
    facts = explain.attribution(
        "nfe-8", aggregate(head, {})["nfe-8"], of_run(base, aggregate(base, {}))
    )
    return " is ".join(facts)


def test_the_stage_that_grew_is_named_though_every_round_is_another() -> None:
    """Rounds differ by a third; side by side the acoustic model took the same time."""
    rng = np.random.default_rng(1)
    walls_s = [list(level * np.exp(rng.normal(0, 0.02, 8))) for level in (0.1, 0.13, 0.09)]
    assert paired(run(usual, walls_s), run(heavier, walls_s)) == "vocoder +100 % is 100 % of it"


def test_a_change_of_all_stages_is_shared_out() -> None:
    slower = run(
        lambda wall_s: {name: 1.5 * each for name, each in usual(wall_s).items()}, [[0.1] * 8]
    )
    assert paired(run(usual, [[0.1] * 8]), slower) == "acoustic +50 % is 90 % of it"


def test_a_stored_baseline_and_a_paired_one_say_the_same_of_the_same_times() -> None:
    before = run(usual, [[0.1] * 8] * 3)
    for stages in (
        heavier,
        usual,
        lambda wall_s: {name: 1.5 * each for name, each in usual(wall_s).items()},
        lambda wall_s: {**usual(wall_s), "post": 0.05 * wall_s},
        lambda wall_s: {"vocoder": 0.3 * wall_s},
        lambda wall_s: {},
    ):
        now = run(stages, [[0.1] * 8] * 3)
        assert stored(before, now) == paired(before, now)
    assert (
        stored(run(lambda wall_s: {}, [[0.1] * 8]), before)
        == paired(run(lambda wall_s: {}, [[0.1] * 8]), before)
        == ""
    )
    assert stored(before, run(heavier, [[0.1] * 8])) == "vocoder +100 % is 100 % of it"


def test_nothing_is_named_where_nothing_grew_or_nothing_is_known() -> None:
    before, slower = run(usual, [[0.1] * 8]), run(heavier, [[0.1] * 8])
    assert paired(slower, before) == ""
    assert paired(before, before) == ""
    assert paired(before, slower, "nfe-32") == ""
    assert paired(before, replace(slower, processes=())) == ""
    assert moved_stage([]) == ""


def test_a_new_stage_is_named_without_a_size() -> None:
    before, now = run(lambda wall_s: {"acoustic": wall_s}, [[0.1] * 8]), run(usual, [[0.2] * 8])
    assert paired(before, now).startswith("acoustic +80 %")
    now = run(lambda wall_s: {"acoustic": wall_s, "post": 1.0}, [[0.1] * 8])
    assert paired(before, now) == "post is 100 % of it"
