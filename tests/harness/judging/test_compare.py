"""How far a metric moved, checked by hand; what must not be compared says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import REQUESTS, accepted, good_run, make_run, make_scores, steady
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.analysis.grouping import relative_to_typical, typical_values
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.compare import ABSENT, GONE, OLDER, compare
from voxgate.harness.judging.compare_speed import matched
from voxgate.harness.metrics.registry import base_name, full_version
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.records.measurement import (
    Measurement,
    Missing,
    MissingKind,
    UtteranceValue,
)
from voxgate.harness.records.verdict import Comparison


def compared(tmp_path: Path, run=None, *, before=None, **scores) -> dict[str, Comparison]:
    run = run or good_run()
    found = compare(
        run, aggregate(run, make_scores(run, **scores)), accepted(tmp_path, **(before or {}))
    )
    return {each.metric: each for each in found["nfe-8"]}


def test_speed_is_a_ratio_with_bounds(tmp_path: Path) -> None:
    found = compared(tmp_path, make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.12)}))
    for name in ("latency_p50", "latency_p95", "rtf", "rtf_median"):
        assert found[name].shift == pytest.approx(0.2, rel=1e-3), name
        assert found[name].low - 1e-9 <= 0.2 <= found[name].high + 1e-9, name
    assert found["rtfx"].shift == pytest.approx(1 / 1.2 - 1, rel=1e-3)
    assert found["latency_p50"].detail == "3 processes against 3"
    assert (found["latency_p50"].n_baseline, found["latency_p50"].n_current) == (72, 72)


def test_helpers_are_not_compared(tmp_path: Path) -> None:
    assert not {"wer_words", "cer_chars", "stage.vocoder"} & set(compared(tmp_path))


def test_decibels_and_rates_move_by_differences(tmp_path: Path) -> None:
    found = compared(tmp_path, snr=18.5, clicks=0.4)
    assert (found["snr"].shift, found["snr"].absolute) == (pytest.approx(-1.5), True)
    assert (found["clicks"].shift, found["clicks"].absolute) == (pytest.approx(0.4), True)


def test_scores_move_by_steps_on_their_scale(tmp_path: Path) -> None:
    found = compared(tmp_path, pesq=3.3, stoi=0.96)
    assert (found["pesq"].shift, found["pesq"].absolute) == (pytest.approx(-0.3), True)
    assert (found["stoi"].shift, found["stoi"].absolute) == (pytest.approx(-0.02), True)


def test_exact_against_inaudible_is_no_change(tmp_path: Path) -> None:
    found = compared(tmp_path, before={"snr": 120.0}, snr=88.0)
    assert found["snr"].shift == 0.0
    assert (found["snr"].baseline, found["snr"].current) == (120.0, 88.0)


def test_corpus_wer_moves_by_its_words(tmp_path: Path) -> None:
    wer = {name: 0.9 if name == "u01" else 0.1 for name in REQUESTS}
    found = compared(tmp_path, wer=wer)["wer"]
    assert found.shift == pytest.approx(1.0)
    assert found.detail == "16 errors in 80, 8 in the baseline"
    assert found.low <= 0.0


def test_wer_from_nothing_is_a_difference(tmp_path: Path) -> None:
    found = compared(tmp_path, before={"wer": 0.0}, wer=0.1)["wer"]
    assert (found.shift, found.absolute) == (pytest.approx(0.1), True)


def test_utterances_are_paired_by_their_id(tmp_path: Path) -> None:
    """The same values in other places are a change of every utterance, and none of the mean."""
    up = {name: 3.0 + 0.1 * i for i, name in enumerate(REQUESTS)}
    down = dict(zip(REQUESTS, reversed(up.values()), strict=True))
    found = compared(tmp_path, before={"pesq": up}, pesq=down)["pesq"]
    assert found.shift == pytest.approx(0.0)
    assert found.high > 0.05
    assert compared(tmp_path, before={"pesq": up}, pesq=up)["pesq"].high == 0.0


def test_an_utterance_that_lost_its_value_is_named(tmp_path: Path) -> None:
    found = compared(
        tmp_path, pesq={name: Missing("silent") if name == "u05" else 3.6 for name in REQUESTS}
    )["pesq"]
    assert (found.baseline, found.current) == (3.6, Missing("1 of 8 utterances, u05: silent"))


def test_a_gap_on_both_sides_leaves_the_other_utterances(tmp_path: Path) -> None:
    gap = {name: Missing("too short") if name == "u05" else 3.6 for name in REQUESTS}
    found = compared(tmp_path, before={"pesq": gap}, pesq=gap)["pesq"]
    assert (found.shift, found.detail) == (0.0, "7 of 8 utterances have a value on both sides")


HIDDEN = Missing("noise covers the end", MissingKind.HIDDEN)


@pytest.mark.parametrize("side", ["run", "baseline", "both"])
def test_an_utterance_whose_fault_noise_hides_is_left_out_on_both_sides(
    tmp_path: Path, side: str
) -> None:
    hidden = {name: HIDDEN if name == "u05" else 0.0 for name in REQUESTS}
    before = hidden if side in ("baseline", "both") else 0.0
    now = hidden if side in ("run", "both") else 0.0
    found = compared(tmp_path, before={"clicks": before}, clicks=now)["clicks"]
    assert (found.baseline, found.current, found.shift) == (0.0, 0.0, 0.0)
    cut = {name: 8.0 if name == "u03" else value for name, value in hidden.items()}
    worse = compared(tmp_path, before={"clicks": before}, clicks=cut)["clicks"]
    assert worse.shift == pytest.approx(8.0 / 7.0), "one that is hidden hides no other"


def test_noise_over_every_utterance_leaves_nothing_to_compare(tmp_path: Path) -> None:
    found = compared(tmp_path, clicks=dict.fromkeys(REQUESTS, HIDDEN))["clicks"]
    assert found.baseline == 0.0
    assert found.current == HIDDEN


def test_without_a_speed_baseline_speed_is_absent(tmp_path: Path) -> None:
    run = good_run()
    baseline = replace(accepted(tmp_path), speed=None)
    found = {
        each.metric: each
        for each in compare(run, aggregate(run, make_scores(run)), baseline)["nfe-8"]
    }
    assert found["rtf"].baseline == ABSENT
    assert found["pesq"].baseline == 3.6


def test_another_machine_and_profile_are_named(tmp_path: Path) -> None:
    machine = {"machine": {"id": "box-2c", "cores": 4}}
    found = compared(
        tmp_path,
        replace(good_run(), environment=environment_from_json(machine), profile="cpu-gate"),
    )
    assert found["rtf"].incomparable == (
        "cores 2 against 4",
        "profile cpu in the baseline, cpu-gate now",
    )
    assert found["pesq"].incomparable == ()


def test_a_cell_that_asks_for_something_else_is_named(tmp_path: Path) -> None:
    run = good_run()
    other = replace(
        run, cells=(run.cells[0], replace(run.cells[1], target="other", fixed={"solver": "heun"}))
    )
    found = compared(tmp_path, other)
    for name in ("rtf", "pesq"):
        assert found[name].incomparable == (
            "target fake in the baseline, other now",
            "solver was unset, is heun",
        )


def test_another_version_of_a_metric_is_named(tmp_path: Path) -> None:
    run = good_run()
    measured = {
        slug: [replace(m, version="next") if m.metric == "snr" else m for m in ms]
        for slug, ms in aggregate(run, make_scores(run)).items()
    }
    found = {each.metric: each for each in compare(run, measured, accepted(tmp_path))["nfe-8"]}
    assert found["snr"].incomparable == (
        f"snr version {full_version('snr')} in the baseline, next now",
    )
    assert found["si_sdr"].incomparable == ()


def speeds(*rounds: dict[str, float | Missing]) -> Measurement:
    """One value per request and round."""
    values = [
        UtteranceValue(id=name, value=value, repeat=number)
        for number, several in enumerate(rounds)
        for name, value in several.items()
    ]
    return Measurement(
        metric="latency_p50",
        unit="s",
        better="lower",
        version="1",
        values=tuple(values),
        summary=1.0,
    )


def test_a_sentence_that_is_missing_does_not_shift_the_mix() -> None:
    """The long sentence was disturbed once; every sentence took as long as ever."""
    before = speeds({"short": 1.0, "long": 9.0}, {"short": 1.0, "long": 9.0})
    now = speeds({"short": 1.0, "long": 9.0}, {"short": 1.0, "long": Missing("disturbed")})
    old, new = (
        [value.value for value in side.values]
        for side in (relative_to_typical(each, typical_values(before)) for each in (before, now))
    )
    assert old == pytest.approx([1.0] * 4)
    assert new == pytest.approx([1.0] * 3)


def test_pairs_keep_only_what_both_sides_did_in_the_same_order() -> None:
    before = speeds({"a": 1.0, "b": 2.0}, {"a": Missing("disturbed"), "b": 4.0})
    now = speeds({"b": 20.0, "a": 10.0}, {"a": 30.0, "b": 40.0})
    old, new = matched(before, now)
    assert [(value.repeat, value.id, value.value) for value in old.values] == [
        (0, "a", 1.0),
        (0, "b", 2.0),
        (1, "b", 4.0),
    ]
    assert [value.value for value in new.values] == [10.0, 20.0, 40.0]


def test_a_round_that_one_side_lost_is_left_out_of_every_speed() -> None:
    """Also of those that are grouped by the values of another metric."""
    before, now = make_run({"nfe-8": steady(0.1, 4)}), make_run({"nfe-8": steady(0.1, 3)})
    measured = [aggregate(run, make_scores(run)) for run in (before, now)]
    compared = compare(now, measured[1], of_run(before, measured[0]), paired=True)["nfe-8"]
    details = {each.metric: each.detail for each in compared}
    assert {details[name] for name in ("latency_p50", "latency_p95", "rtf", "rtfx")} == {
        "3 pairs of processes"
    }


@pytest.mark.parametrize(
    ("metric", "shift", "absolute"),
    [
        ("golden_estoi", -2.0, True),
        ("phone_pesq", -2.0, True),
        ("chars_per_s", -0.5, False),
        ("f0_rmse_cents", -2.0, True),
        ("loudness", -2.0, True),
        ("golden_speaker_similarity", -2.0, True),
        ("phone_dropouts", -2.0, True),
        ("longest_pause", -2.0, True),
        ("pause_count", -2.0, True),
    ],
)
def test_only_what_is_read_in_percent_moves_by_a_share(
    tmp_path: Path, metric: str, shift: float, absolute: bool
) -> None:
    run = replace(good_run(), conditions=("telephone",))
    before = {metric: 4.0, base_name(metric): 4.0}  # which becomes the one against the golden audio
    baseline = of_run(run, aggregate(run, make_scores(run, **before)))
    found = compare(run, aggregate(run, make_scores(run, **{metric: 2.0})), baseline)
    own = next(each for each in found["nfe-8"] if each.metric == metric)
    assert (own.shift, own.absolute) == (pytest.approx(shift), absolute)


def test_a_metric_that_is_younger_than_the_baseline_says_so(tmp_path: Path) -> None:
    run, baseline = good_run(), accepted(tmp_path)
    assert baseline.quality is not None
    older = {
        slug: {name: each for name, each in several.items() if name != "clicks"}
        for slug, several in baseline.quality.measurements.items()
    }
    young = replace(baseline, quality=replace(baseline.quality, measurements=older))
    found = {
        each.metric: each for each in compare(run, aggregate(run, make_scores(run)), young)["nfe-8"]
    }
    assert (found["clicks"].baseline, found["clicks"].current) == (OLDER, 0.0)
    assert found["snr"].baseline == 20.0


def test_a_metric_that_the_run_measures_no_more_is_not_passed_over(tmp_path: Path) -> None:
    run, baseline = good_run(), accepted(tmp_path)
    less = replace(run, metrics=("snr",))
    found = {
        each.metric: each
        for each in compare(less, aggregate(less, make_scores(less)), baseline)["nfe-8"]
    }
    assert (found["pesq"].baseline, found["pesq"].current, found["pesq"].incomparable) == (
        3.6,
        GONE,
        (),
    )
    other = replace(less, cells=(less.cells[0], replace(less.cells[1], target="other")))
    found = {
        each.metric: each
        for each in compare(other, aggregate(other, make_scores(other)), baseline)["nfe-8"]
    }
    assert found["pesq"].incomparable == ("target fake in the baseline, other now",)


def test_a_profile_file_that_was_changed_is_told_and_not_compared(tmp_path: Path) -> None:
    """The content of a profile file is part of its name in run and baseline."""
    old = accepted(tmp_path)
    assert old.speed is not None
    before = replace(old, speed=replace(old.speed, profile="orin-nx.1a2b3c4d"))
    run = replace(good_run(), profile="orin-nx.5e6f7a8b")
    found = compare(run, aggregate(run, make_scores(run)), before)
    (rtf,) = [each for each in found["nfe-8"] if each.metric == "rtf"]
    assert rtf.shift is None
    assert (
        "profile orin-nx.1a2b3c4d in the baseline, orin-nx.5e6f7a8b now: the file of profile "
        "orin-nx was changed" in rtf.incomparable
    )
