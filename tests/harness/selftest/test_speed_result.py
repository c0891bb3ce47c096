"""
What is concluded: rates that are rates, a curve that falls, a machine that is fit, not fit or
unknown.
"""

import json
from dataclasses import replace

import pytest

from tests.harness.fake_runs import policy
from tests.harness.selftest.making import make_setup, make_sides
from voxgate.harness.selftest import render_speed
from voxgate.harness.selftest.simulated_gate import Gate
from voxgate.harness.selftest.speed import trust_of
from voxgate.harness.selftest.speed_result import (
    CellNoise,
    Fit,
    SizeResult,
    Trust,
    fitness_to_gate,
    too_few,
)
from voxgate.harness.selftest.speed_run import Recorded
from voxgate.harness.selftest.trials import rate_of

LIMIT = 0.05


def trust(rounds: int = 12, **changes: object) -> Trust:
    setup = make_setup()
    return trust_of(
        Recorded(runs=make_sides(setup, rounds, **changes), interrupted=False), setup, policy()
    )


@pytest.fixture(scope="module", name="quiet")
def _quiet() -> Trust:
    return trust(process_sd=0.005)


def test_a_quiet_machine_is_fit_and_finds_what_is_slow(quiet: Trust) -> None:
    same, small, large = quiet.sizes
    assert (same.size, same.flagged.count, same.flagged.total) == (0.0, 0, 6 * 3 * 2)
    assert small.flagged.share > 0.8
    assert (large.flagged.count, large.flagged.total) == (4 * 3 * 2, 4 * 3 * 2)
    assert large.real == pytest.approx(0.2, abs=0.01)
    assert quiet.fit.status == "fit"
    assert render_speed.exit_code(quiet) == 0


def test_rates_are_rates_and_their_intervals_hold_them(quiet: Trust) -> None:
    for rate in [
        *(each.flagged for each in quiet.sizes),
        *(each.unresolved for each in quiet.sizes),
    ]:
        assert 0.0 <= rate.low <= rate.share <= rate.high <= 1.0
        assert 0.0 < rate.disjoint <= rate.total


def test_the_noise_is_that_of_pairs(quiet: Trust) -> None:
    for each in quiet.noise:
        assert each.pair_sd == pytest.approx(0.005 * 2**0.5, rel=0.5)
        assert LIMIT * 0.7 < each.sees < 2 * LIMIT


def test_more_rounds_take_longer_and_see_less(quiet: Trust) -> None:
    assert [p.rounds for p in quiet.curve] == sorted(p.rounds for p in quiet.curve)
    worst = [p.sees_worst for p in quiet.curve]
    assert worst == sorted(worst, reverse=True)
    assert all(p.sees_median <= p.sees_worst for p in quiet.curve)


def test_a_noisy_machine_is_not_fit() -> None:
    noisy = trust(rounds=8, process_sd=0.15)
    assert noisy.fit.status == "not fit"
    assert render_speed.exit_code(noisy) == 3
    assert render_speed.line(noisy).startswith("NOT FIT to gate: ")


def test_too_few_rounds_decide_nothing_and_are_named() -> None:
    short = trust(rounds=3, process_sd=0.005)
    assert short.sizes == ()
    assert short.fit == Fit(
        status="undecided", reason="0 A/A comparisons, 10 are needed; give it more --minutes"
    )
    assert (
        short.failures["nfe-8"]
        == "3 whole rounds, 8 are needed; give it more --minutes, with --resume"
    )
    assert render_speed.exit_code(short) == 3


def result(size: float, flagged: int, total: int, unresolved: int = 0) -> SizeResult:
    rates = [
        rate_of([number < count for number in range(total)], float(total))
        for count in (flagged, unresolved)
    ]
    return SizeResult(
        size=size,
        real=size,
        flagged=rates[0],
        unresolved=rates[1],
        why_unresolved="",
        verdicts={},
        rounds=4.0,
    )


def cell(sees: float) -> CellNoise:
    return CellNoise(cell="nfe-8", rounds=12, pair_sd=0.01, weight=1.0, sees=sees)


@pytest.mark.parametrize(
    ("same", "found", "sees", "word", "why"),
    [
        ((0, 300), 40, 0.05, "fit", "sees 5.0 % in 8 rounds of every cell"),
        ((3, 300), 40, 0.05, "fit", "3 false alarms in 300"),
        ((0, 9), 40, 0.05, "undecided", "9 A/A comparisons, 10 are needed"),
        ((1, 60), 40, 0.05, "undecided", "may be bad luck"),
        ((30, 300), 40, 0.05, "not fit", "more than 1 %"),
        (
            (0, 300),
            40,
            0.101,
            "not fit",
            "nfe-8 sees no less than 10.1 % in 8 rounds, 10 % are needed",
        ),
        ((0, 300), 35, 0.05, "not fit", "10 % found in 88 %, not in 90 %"),
        ((0, 300, 31), 40, 0.05, "not fit", "10.3 % of them UNRESOLVED, no more than 10 % may be"),
    ],
)
def test_the_rule_of_fitness(
    same: tuple[int, ...], found: int, sees: float, word: str, why: str
) -> None:
    sizes = [result(0.0, *same), result(0.05, 0, 40), result(0.1, found, 40)]
    fit = fitness_to_gate(sizes, [cell(sees)], LIMIT)
    assert fit.status == word
    assert why in fit.reason


def test_the_document_is_json_and_the_text_ends_with_the_verdict(quiet: Trust) -> None:
    document = json.loads(json.dumps(render_speed.to_json(quiet), allow_nan=False))
    assert document["fit"]["word"] == "fit"
    assert render_speed.text(quiet).splitlines()[-1] == document["line"] == render_speed.line(quiet)
    assert document["line"].startswith("FIT to gate: 0 false alarms in 36 A/A comparisons")


def test_the_markdown_has_a_table_for_everything(quiet: Trust) -> None:
    text = render_speed.markdown(quiet)
    assert text.count("\n### ") == 3
    assert "| none (A/A) |" in text


def test_what_was_left_out_is_named(quiet: Trust) -> None:
    setup = make_setup(left_out={"nfe-64": "12 rounds of it do not fit into 10 minutes"})
    told = render_speed.text(replace(quiet, setup=setup))
    assert "not measured: nfe-64: 12 rounds of it do not fit into 10 minutes" in told


def test_a_reason_for_what_was_not_decided_is_shown(quiet: Trust) -> None:
    same = replace(quiet.sizes[0], why_unresolved="machine not quiet")
    assert "UNRESOLVED, for example: machine not quiet" in render_speed.text(
        replace(quiet, sizes=(same,))
    )


def test_cells_with_enough_rounds_are_not_named() -> None:
    setup = make_setup()
    assert too_few(Gate(make_sides(setup, 8), policy()), setup) == {}
