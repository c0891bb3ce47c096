"""How quiet the machine was."""

from collections.abc import Mapping

import pytest

from harness.fitness import fitness


def environment(load: float, stolen: int = 0) -> Mapping[str, object]:
    return {
        "machine": {"cores": 2},
        "before": {"load_1min": load, "ticks": 1000, "stolen_ticks": 0},
        "after": {"load_1min": 1.0, "ticks": 2000, "stolen_ticks": stolen},
    }


@pytest.mark.parametrize(("load", "stolen", "word"), [(0.2, 0, "quiet"), (1.5, 0, "loaded"), (0.2, 50, "loaded")])
def test_load_before_and_stolen_time_tell_quiet_from_loaded(load: float, stolen: int, word: str) -> None:
    assert fitness(environment(load, stolen)).word == word


def test_figures_are_given() -> None:
    assert fitness(environment(0.2, 50)).why == "load 0.2 on 2 cores at the start, 5.0 % of the CPU time stolen by the host"


def test_unknown_is_not_called_quiet() -> None:
    assert fitness({}).word == "unknown"
