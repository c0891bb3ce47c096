"""The rules of other tools: each on its own threshold, and none flags identical times."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from tests.harness.fake_runs import policy
from tests.harness.selftest.making import make_setup, make_sides
from tests.studies import other_tools
from tests.studies.other_tools import (
    IN_TURNS,
    OURS,
    RIVALS,
    STORED,
    as_table,
    ask_rivals,
    asv_continuous,
    criterion,
    mann_whitney_p,
    pyperf,
    pytest_benchmark,
    rule_rates,
    same_scale,
)
from voxgate.harness.runner import run_folder
from voxgate.harness.selftest.simulated_gate import Gate
from voxgate.harness.selftest.speed_plan import save
from voxgate.harness.selftest.trials import all_trials

FEW = st.lists(st.floats(0.5, 2.0, allow_nan=False), min_size=3, max_size=30, unique=True).map(
    np.array
)


def quiet(base_s: float, count: int = 32, spread: float = 1e-3, seed: int = 0) -> np.ndarray:
    return base_s * np.exp(np.random.default_rng(seed).normal(0.0, spread, count))


@pytest.mark.parametrize("name", RIVALS)
@given(samples=FEW)
def test_no_rule_flags_identical_samples(name: str, samples: np.ndarray) -> None:
    assert RIVALS[name].rule(samples, samples.copy()) is False


@pytest.mark.parametrize("name", RIVALS)
def test_every_rule_flags_20_per_cent_and_no_speed_up(name: str) -> None:
    rule = RIVALS[name].rule
    assert rule(quiet(1.0), quiet(1.2, seed=1)) is True
    assert rule(quiet(1.2), quiet(1.0, seed=1)) is False


@pytest.mark.parametrize("name", RIVALS)
def test_every_rule_can_be_asked_about_times_without_any_spread(name: str) -> None:
    assert RIVALS[name].rule(np.ones(32), np.full(32, 1.2)) is True
    assert RIVALS[name].rule(np.ones(32), np.ones(32)) is False


@pytest.mark.parametrize("name", RIVALS)
def test_every_rule_names_its_source(name: str) -> None:
    assert RIVALS[name].says
    assert "/" in RIVALS[name].source


def test_pytest_benchmark_compares_medians_with_5_per_cent() -> None:
    assert not pytest_benchmark(np.array([1.0, 1.0, 9.0]), np.array([1.0, 1.049, 9.0]))
    assert pytest_benchmark(np.array([1.0, 1.0, 9.0]), np.array([1.0, 1.051, 9.0]))


def test_asv_needs_its_factor_its_test_and_enough_samples() -> None:
    assert not asv_continuous(quiet(1.0), quiet(1.09, seed=1))
    assert asv_continuous(quiet(1.0), quiet(1.09, seed=1), factor=1.05)
    assert not asv_continuous(quiet(1.0, spread=0.5), quiet(1.15, spread=0.5, seed=1))
    assert not asv_continuous(quiet(1.0, count=5), quiet(1.5, count=5, seed=1)), (
        "1 in 252 is not below 0.002"
    )
    assert not asv_continuous(quiet(1.0, count=6), quiet(1.5, count=6, seed=1)), (
        "asked, but two-sided it is 2 in 924"
    )
    assert asv_continuous(quiet(1.0, count=7), quiet(1.5, count=7, seed=1))


def test_pyperf_flags_any_size_that_is_significant() -> None:
    assert pyperf(quiet(1.0), quiet(1.01, seed=1))
    assert not pyperf(quiet(1.0, spread=0.1), quiet(1.01, spread=0.1, seed=1))
    a, b = quiet(1.0, spread=0.1), quiet(1.04, spread=0.1, seed=3)
    assert pyperf(a, b) == (scipy_stats.ttest_ind(b, a).pvalue <= 0.05 and b.mean() > a.mean())


def test_criterion_wants_the_interval_beyond_1_per_cent() -> None:
    assert not criterion(quiet(1.0), quiet(1.009, seed=1))
    assert criterion(quiet(1.0), quiet(1.02, seed=1))


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10_000))
def test_the_exact_mann_whitney_test_counts_all_orderings(m: int, n: int, seed: int) -> None:
    values = np.random.default_rng(seed).permutation(m + n).astype(float)
    a, b = values[:m], values[m:]

    def u_of(chosen: tuple[float, ...]) -> float:
        rest = [v for v in values if v not in chosen]
        return float(sum(x > y for x in chosen for y in rest))

    least = min(u_of(tuple(a)), m * n - u_of(tuple(a)))
    orderings = [u_of(chosen) for chosen in itertools.combinations(values, m)]
    expected = min(1.0, sum(min(u, m * n - u) <= least for u in orderings) / len(orderings))
    assert mann_whitney_p(a, b) == pytest.approx(expected if 2 * least < m * n else 1.0, abs=1e-9)


def test_beyond_20_samples_the_normal_curve_is_used() -> None:
    a, b = quiet(1.0, count=32), quiet(1.0005, count=32, seed=1)
    expected = scipy_stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic").pvalue
    assert mann_whitney_p(a, b) == pytest.approx(expected)


def test_samples_of_unlike_requests_get_one_scale() -> None:
    base = [("short", 1.0), ("long", 10.0), ("lost", 3.0)]
    slower = [("short", 1.21), ("long", 12.1)]
    before, now = same_scale(base, slower)
    assert now / before == pytest.approx([1.21, 1.21])
    assert before == pytest.approx([1 / 1.1, 1 / 1.1])


def test_rivals_see_the_rounds_of_the_gate_and_a_baseline_of_other_rounds() -> None:
    base = {number: [("r", 1.0 if number < 4 else 2.0)] * 8 for number in range(8)}
    head = {number: [("r", 1.0)] * 8 for number in range(8)}
    flagged = ask_rivals(head, base, tuple(range(4)), tuple(range(8)))
    assert set(flagged) == {(name, layout) for name in RIVALS for layout in (IN_TURNS, STORED)}
    assert not any(flagged.values())
    later = ask_rivals(head, base, tuple(range(4, 8)), (*range(4, 8), *range(4)))
    assert all(later.values())


def test_without_other_rounds_there_is_no_stored_baseline() -> None:
    side = {number: [("r", 1.0)] * 8 for number in range(6)}
    flagged = ask_rivals(side, side, tuple(range(4)), tuple(range(6)))
    assert {layout for _, layout in flagged} == {IN_TURNS}


def test_all_rules_see_the_same_comparisons_and_ours_stands_first() -> None:
    setup = make_setup()
    runs = make_sides(setup, 12, process_sd=0.005)
    rates = rule_rates(runs, setup, policy())
    assert next(iter(rates)) == (OURS, IN_TURNS)
    trials = all_trials(Gate(runs, policy()), setup.sides)
    for size, rate in rates[OURS, IN_TURNS].items():
        assert rate.total == sum(trial.size == size for trial in trials)
    for rate in [rate for by_size in rates.values() for rate in by_size.values()]:
        assert 0.0 <= rate.low <= rate.share <= rate.high <= 1.0
        assert 0.0 < rate.disjoint <= rate.total
    large = {key: by_size[0.2].share for key, by_size in rates.items() if 0.2 in by_size}
    assert set(large.values()) == {1.0}


def test_the_table_has_a_row_per_rule_and_layout() -> None:
    setup = make_setup()
    rates = rule_rates(make_sides(setup, 16, process_sd=0.005), setup, policy())
    table = as_table(rates, (0.0, *setup.sizes))
    assert table.head[:3] == ("rule", "samples", "A/A")
    assert [row[:2] for row in table.rows][:2] == [(OURS, IN_TURNS), ("pytest-benchmark", IN_TURNS)]
    assert ("criterion", STORED) in [row[:2] for row in table.rows]


def test_the_command_reads_the_folder_of_a_selftest(tmp_path, monkeypatch, capsys) -> None:
    setup = make_setup()
    save(tmp_path, setup)
    runs = make_sides(setup, 8)
    monkeypatch.setattr(run_folder, "load_run", lambda path: runs[path.name])
    monkeypatch.setattr(other_tools, "load_policy", lambda *_: policy())
    assert other_tools.main([str(tmp_path)]) == 0
    assert "| voxgate | in turns | 0.0 % \\[" in capsys.readouterr().out
