"""How quiet the machine was: over a whole run, and in single iterations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.harness.fake_runs import make_run, steady
from voxgate.harness.machine.quietness import TOO_MANY, MachineState, disturbed, fitness
from voxgate.harness.records.environment import Machine, RunEnvironment, environment_from_json
from voxgate.harness.records.run import Phase, Run

QUIET: Mapping[str, object] = {
    "load_1min": 0.2,
    "ticks": 1000,
    "stolen_ticks": 0,
    "idle_ticks": 100,
    "swapped_pages": 5,
}


def environment(load: float = 0.2, stolen: int = 0, **after: object) -> RunEnvironment:
    return RunEnvironment(
        machine=Machine(facts={"cores": 2}),
        before={**QUIET, "load_1min": load, "governor": "performance"},
        after={
            **QUIET,
            "load_1min": 1.0,
            "ticks": 2100,
            "stolen_ticks": stolen,
            "idle_ticks": 200,
            **after,
        },
    )


@pytest.mark.parametrize(
    ("load", "stolen", "word"), [(0.2, 0, "quiet"), (1.5, 0, "loaded"), (0.2, 50, "loaded")]
)
def test_load_before_and_stolen_time_tell_quiet_from_loaded(
    load: float, stolen: int, word: str
) -> None:
    assert fitness(environment(load, stolen)).status == word


def test_figures_are_given() -> None:
    assert (
        fitness(environment(0.2, 50)).detail
        == "load 0.2 on 2 cores at the start, 5.0 % of the CPU time stolen by the host"
    )


def test_unknown_is_not_called_quiet() -> None:
    assert fitness(RunEnvironment()).status == "unknown"
    assert (
        fitness(environment_from_json({"machine": {"cores": 2}, "before": {}, "after": {}})).status
        == "unknown"
    )


@pytest.mark.parametrize(
    ("after", "word", "reason"),
    [
        ({"swapped_pages": 9}, "swapping", "4 pages moved to or from swap"),
        (
            {"temperatures_c": {"cpu": 97.0}, "trips_c": {"cpu": 99.0}},
            "hot",
            "cpu 97 °C, slowed down at 99 °C",
        ),
        ({"gpu_names": "H200", "gpu_reasons": 4}, "throttled", "held down by power cap"),
        (
            {"governor": "powersave"},
            "changed",
            "governor performance at the start, powersave at the end",
        ),
    ],
)
def test_what_else_happened_is_named_behind_the_figures(
    after: dict[str, object], word: str, reason: str
) -> None:
    figures = "load 0.2 on 2 cores at the start, 0.0 % of the CPU time stolen by the host"
    assert fitness(environment(**after)) == MachineState(status=word, detail=f"{figures}, {reason}")


def test_snapshots_of_older_runs_without_idle_time_still_tell() -> None:
    before, after = (
        {"load_1min": 0.2, "ticks": 1000, "stolen_ticks": 0},
        {"ticks": 2000, "stolen_ticks": 30},
    )
    assert (
        fitness(
            environment_from_json({"machine": {"cores": 2}, "before": before, "after": after})
        ).status
        == "loaded"
    )


def with_disturbances(run: Run, disturbances: Sequence[Mapping[str, float]]) -> Run:
    """Gives the first samples of the only process these disturbances."""
    process = run.processes[0]
    hit = tuple(
        replace(s, disturbance=d) for s, d in zip(process.iterations, disturbances, strict=False)
    )
    return replace(
        run, processes=(replace(process, iterations=(*hit, *process.iterations[len(hit) :])),)
    )


def test_the_share_of_disturbed_iterations_and_what_disturbed_them() -> None:
    run = make_run({"nfe-8": steady(0.1, processes=1, iterations=24)})
    waited, stolen = {"waited_s": 0.05}, {"waited_s": 0.02, "stolen_s": 0.04}
    found = disturbed(with_disturbances(run, [waited] * 6 + [stolen] * 2), "nfe-8")
    assert found.share == pytest.approx(8 / 24)
    assert (
        found.reason
        == "machine not quiet: 8 of 24 iterations disturbed (8 waited for the CPU, 2 lost CPU time "
        "to the host)"
    )
    assert not found.too_many, f"{TOO_MANY} is allowed"
    assert disturbed(with_disturbances(run, [waited] * 9), "nfe-8").too_many


def test_only_measured_iterations_of_the_cell_count() -> None:
    run = with_disturbances(
        make_run({"nfe-8": steady(0.1, processes=1, iterations=4)}), [{"waited_s": 0.05}]
    )
    process = run.processes[0]
    warm = replace(
        run,
        processes=(
            replace(
                process,
                iterations=tuple(replace(s, phase=Phase.WARMUP) for s in process.iterations),
            ),
        ),
    )
    assert disturbed(run, "nfe-8").share == 0.25
    for each, slug in ((warm, "nfe-8"), (run, "nfe-32")):
        assert (disturbed(each, slug).share, disturbed(each, slug).reason) == (0.0, "")
