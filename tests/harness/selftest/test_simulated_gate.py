"""
The gate asked about recorded rounds: it must answer as `voxgate ab` would, with rounds of its own
for a confirmation.
"""

import pytest

from tests.harness.fake_runs import policy
from tests.harness.selftest.making import SLUGS, make_setup, make_sides
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.selftest.simulated_gate import (
    FIRST_ROUNDS,
    MOST_ROUNDS,
    Gate,
    GateOutcome,
    Rounds,
)

ALL = dict.fromkeys(SLUGS, tuple(range(16)))


def ask(gate: Gate, head: str, rounds: dict[str, Rounds] = ALL) -> dict[str, GateOutcome]:
    return {answer.cell: answer for answer in gate.ask("equal-1", head, rounds)}


def test_identical_sides_pass_after_the_first_rounds() -> None:
    answers = ask(Gate(make_sides(make_setup(), 16), policy()), "equal-2")
    assert {answer.verdict for answer in answers.values()} == {Verdict.PASS}
    assert answers["nfe-8"].rounds == tuple(range(FIRST_ROUNDS))


def test_a_slow_down_is_suspected_and_confirmed_by_rounds_that_were_not_seen() -> None:
    answers = ask(Gate(make_sides(make_setup(), 16, process_sd=0.002), policy()), "slower-20")
    for answer in answers.values():
        assert (answer.first, answer.verdict) == (Verdict.REGRESSED, Verdict.REGRESSED)
        assert answer.rounds == tuple(range(2 * FIRST_ROUNDS))


def test_a_slow_down_that_does_not_come_again_is_no_alarm() -> None:
    sides = make_sides(make_setup(), 16, process_sd=0.002, slow_rounds=range(FIRST_ROUNDS))
    answers = ask(Gate(sides, policy()), "slower-20")
    assert {answer.first for answer in answers.values()} == {Verdict.REGRESSED}
    assert {answer.verdict for answer in answers.values()} == {Verdict.PASS}


def test_an_undecided_cell_gets_more_rounds_up_to_the_most() -> None:
    gate = Gate(make_sides(make_setup(), 2 * MOST_ROUNDS, process_sd=0.3), policy())
    answers = ask(gate, "equal-2")
    undecided = [answer for answer in answers.values() if answer.first is Verdict.UNRESOLVED]
    assert undecided, "noise of 30 % leaves something undecided"
    assert all(len(answer.rounds) == MOST_ROUNDS for answer in undecided)


def test_a_confirmation_never_uses_a_round_twice() -> None:
    gate = Gate(make_sides(make_setup(), 9, process_sd=0.03, seed=5), policy())
    rounds = dict.fromkeys(SLUGS, tuple(range(9)))
    for head in ("equal-2", "slower-5", "slower-20"):
        for answer in ask(gate, head, rounds).values():
            assert len(set(answer.rounds)) == len(answer.rounds)


def test_fewer_rounds_than_two_looks_need_are_refused() -> None:
    gate = Gate(make_sides(make_setup(), 7), policy())
    with pytest.raises(ValueError, match="need 8 rounds"):
        ask(gate, "equal-2", dict.fromkeys(SLUGS, tuple(range(7))))


def test_only_rounds_that_every_side_finished_count() -> None:
    sides = make_sides(make_setup(), 9)
    short = make_sides(make_setup(), 8)
    gate = Gate({**sides, "equal-3": short["equal-3"]}, policy())
    assert gate.complete_rounds("nfe-8") == tuple(range(8))


def test_shifts_are_those_of_all_rounds() -> None:
    shifts = Gate(make_sides(make_setup(), 16), policy()).shifts(
        "equal-1", "slower-20", "latency_p50"
    )
    assert {slug: each.shift for slug, each in shifts.items()} == pytest.approx(
        dict.fromkeys(SLUGS, 0.2)
    )


def test_a_policy_that_blocks_on_no_latency_leaves_nothing_to_test() -> None:
    with pytest.raises(
        HarnessError, match="does not block on latency_p50, so there is nothing to test"
    ):
        Gate(
            make_sides(make_setup()),
            {name: limit for name, limit in policy().items() if name != "latency_p50"},
        )
