from tests.harness.fake_runs import policy
from tests.harness.selftest.making import SLUGS, make_setup, make_sides
from voxgate.harness.records.verdict import Verdict
from voxgate.harness.selftest.simulated_gate import Gate
from voxgate.harness.selftest.trials import all_trials, independent, pairs

SETUP = make_setup()


def test_equal_sides_are_paired_among_themselves_and_with_every_slower_one() -> None:
    found = pairs(SETUP.sides)
    assert found[:3] == [("equal-1", "equal-2"), ("equal-1", "equal-3"), ("equal-1", "equal-4")]
    assert len(found) == 6 + 4 * 2
    assert not [pair for pair in found if pair[0].startswith("slower")]


def test_every_pair_is_compared_from_every_fourth_round_and_no_comparison_is_cut_short() -> None:
    runs = make_sides(SETUP, 12, process_sd=0.002)
    gate = Gate(runs, policy())
    trials = all_trials(gate, SETUP.sides)
    assert len(trials) == 14 * 3 * len(SLUGS)
    starts = {trial.answer.rounds[0] for trial in trials}
    assert starts == {0, 4, 8}
    assert {len(trial.answer.rounds) for trial in trials if trial.size == 0.2} == {8}, (
        "those from round 8 go on with round 0"
    )


def test_identical_sides_are_never_flagged_and_20_per_cent_always() -> None:
    runs = make_sides(SETUP, 8)
    trials = all_trials(Gate(runs, policy()), SETUP.sides)
    for trial in trials:
        flagged = trial.answer.verdict is Verdict.REGRESSED
        assert trial.size not in (0.0, 0.2) or flagged == bool(trial.size)


def test_cells_with_too_few_rounds_are_not_compared() -> None:
    runs = make_sides(SETUP, 7)
    assert all_trials(Gate(runs, policy()), SETUP.sides) == []


def test_independent_comparisons_share_no_process() -> None:
    runs = make_sides(SETUP, 12, process_sd=0.002)
    gate = Gate(runs, policy())
    trials = all_trials(gate, SETUP.sides)
    rounds = dict.fromkeys(SLUGS, 12)
    same = [trial for trial in trials if not trial.size and len(trial.answer.rounds) == 4]
    assert independent(same, rounds, equals=4) == len(SLUGS) * 2 * 3, (
        "two pairs of sides, three times four rounds"
    )
    slower = [trial for trial in trials if trial.size == 0.2]
    assert independent(slower, rounds, equals=4) == len(SLUGS) * 1.5, (
        "one slower side, eight rounds a time"
    )
