from pathlib import Path

import pytest

from tests.harness.selftest.making import make_setup
from voxgate.harness.errors import HarnessError
from voxgate.harness.selftest import speed_plan as setups
from voxgate.harness.selftest.speed_plan import ENOUGH_ROUNDS, Cost, affordable, round_s

COSTS = {
    name: Cost(prepare_s=2.0, measure_s=measure_s, request_s={"r": 0.1}, unit_s=1e-4)
    for name, measure_s in {"slow": 9.0, "quick": 1.0, "medium": 3.0}.items()
}


def test_sides_are_named_by_what_they_are() -> None:
    sides = make_setup(sizes=(0.05, 0.075), equals=2).sides
    assert sides == {"equal-1": 0.0, "equal-2": 0.0, "slower-5": 0.05, "slower-7.5": 0.075}


def test_a_slow_down_is_so_many_units_of_every_requests_own_time() -> None:
    order = make_setup().slow_down(0.05)
    assert order.stage == "vocoder"
    assert order.units["nfe-32"]["u01"] == 200  # 5 % of 0.4 s in units of 0.1 ms
    assert order.units["nfe-8"]["u01"] == 50


def test_a_round_prepares_side_by_side_and_measures_one_at_a_time() -> None:
    assert round_s(COSTS["quick"], sides=9, loading=2) == 9 * (1.0 + 1.0)
    assert round_s(COSTS["quick"], sides=1, loading=2) == 3.0


def test_the_quickest_cells_that_fit_are_chosen_in_the_suites_order() -> None:
    quick, medium = (ENOUGH_ROUNDS * round_s(COSTS[name], 9, 2) for name in ("quick", "medium"))
    assert affordable(COSTS, 9, 2, quick + medium) == ("quick", "medium")
    assert affordable(COSTS, 9, 2, 1e6) == ("slow", "quick", "medium")
    assert affordable(COSTS, 9, 2, 1.0) == ("quick",), "at least one"


def test_a_setup_is_read_as_it_was_written(tmp_path: Path) -> None:
    setup = make_setup(left_out={"nfe-64": "refused"})
    setups.save(tmp_path / "0001", setup)
    assert setups.load(tmp_path / "0001") == setup
    assert setups.latest(tmp_path) == tmp_path / "0001"


def test_what_is_no_selftest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="holds no selftest; begin one without --resume"):
        setups.load(tmp_path)
    with pytest.raises(HarnessError, match="no selftest below"):
        setups.latest(tmp_path)
    (tmp_path / setups.FILE).write_text('{"schema_version": 99}')
    with pytest.raises(HarnessError, match="schema 99, this voxgate reads 1"):
        setups.load(tmp_path)


def test_another_question_than_was_begun_is_named() -> None:
    assert setups.same_question(make_setup(), {"suite": "smoke", "loaded": True}) == [
        "loaded False against True"
    ]


def test_a_damaged_plan_is_one_error_with_the_path(tmp_path: Path) -> None:
    (tmp_path / setups.FILE).write_text('{"schema_version": 1, "suite": 7}')
    with pytest.raises(HarnessError, match=r"\.json: "):
        setups.load(tmp_path)
