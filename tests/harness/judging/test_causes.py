"""What got worse in a run, told by one metric each."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import accepted, judged, make_run, policy, steady
from tests.harness.report.making import lied_to, one_broken, passed, regressed
from voxgate.harness.analysis.metric_rules import is_speed
from voxgate.harness.judging.causes import (
    OWN_KIND,
    TIMES,
    causes,
    merged_causes,
    over_limit,
    telling_metric,
    told_shift,
)
from voxgate.harness.records.measurement import Better, Missing
from voxgate.harness.records.verdict import (
    CellVerdict,
    Comparison,
    MetricVerdict,
    UtteranceChange,
    Verdict,
)


def changed(
    metric: str,
    shift: float,
    limit: float = 0.05,
    *,
    verdict: Verdict = Verdict.REGRESSED,
    blocking: bool = True,
    better: Better = "lower",
    unit: str = "s",
    absolute: bool = False,
) -> MetricVerdict:
    comparison = Comparison(
        cell="a",
        metric=metric,
        unit=unit,
        better=better,
        baseline=1.0,
        current=1.0 + shift,
        shift=shift,
        low=None,
        high=None,
        n_baseline=3,
        n_current=3,
        incomparable=(),
        detail="",
        absolute=absolute,
    )
    return MetricVerdict(
        metric=metric,
        verdict=verdict,
        reason=f"{metric} because",
        comparison=comparison,
        blocking=blocking,
        limit=limit,
    )


def of_cell(
    name: str, *metrics: MetricVerdict, verdict: Verdict = Verdict.REGRESSED
) -> CellVerdict:
    return CellVerdict(cell=name, label=name, verdict=verdict, reason="why", metrics=metrics)


def pesq(shift: float, **more: object) -> MetricVerdict:
    return changed("pesq", shift, 0.15, better="higher", unit="MOS-LQO", absolute=True, **more)


def test_a_slower_cell_is_told_by_its_median_with_the_stage_and_the_others_named(
    tmp_path: Path,
) -> None:
    (cause,) = causes(regressed(tmp_path).judgement)

    assert (cause.metric, cause.blocking, cause.verdict) == ("latency_p50", True, Verdict.REGRESSED)
    assert [each.label for each in cause.cells] == ["nfe=8"]
    assert cause.over_limit == pytest.approx(2.0, abs=0.01)
    assert cause.sentence == "10 % slower (limit 5 %): acoustic +10 %. Also rtf, p95, first audio"
    assert cause.also == ("rtf", "latency_p95", "first_audio_p50")


def test_nothing_is_worse_in_a_run_that_passes(tmp_path: Path) -> None:
    assert causes(passed(tmp_path).judgement) == ()


def test_a_quality_below_its_limit_is_lower_in_its_own_unit(tmp_path: Path) -> None:
    run = make_run({"nfe-32": steady(0.4), "nfe-8": steady(0.1)}, "runs/0002")
    (cause,) = causes(judged(run, accepted(tmp_path), pesq=3.1, wer=0.4))

    assert cause.metric == "wer"
    assert cause.sentence == "wer 30 points higher (limit 1 point). Also pesq"


def test_an_error_rate_that_was_none_rises_by_points() -> None:
    rate = changed("golden_wer", 0.03, 0.01, unit="1", absolute=True)
    (cause,) = merged_causes([of_cell("a", rate)])

    assert cause.sentence == "golden wer 3 points higher (limit 1 point)"


def test_what_is_told_twice_is_named_once() -> None:
    golden = replace(pesq(-0.5), metric="golden_pesq")
    stoi = changed("stoi", -0.02, 0.01, better="higher", unit="1", absolute=True)
    (cause,) = merged_causes([of_cell("a", pesq(-0.6), golden, stoi)])

    assert cause.sentence == "pesq 0.6 MOS-LQO lower (limit 0.15 MOS-LQO). Also stoi"
    assert cause.also == ("golden_pesq", "stoi")


def test_a_broken_utterance_is_told_by_its_own_limit(tmp_path: Path) -> None:
    (cause,) = causes(one_broken(tmp_path).judgement)

    assert cause.sentence == "pesq of u06 1.2 MOS-LQO lower (limit 1 MOS-LQO for one utterance)"
    assert cause.over_limit == pytest.approx(1.2)


def test_a_failed_cell_is_one_cause_with_its_own_reason(tmp_path: Path) -> None:
    (cause,) = causes(lied_to(tmp_path).judgement)

    assert (cause.metric, cause.verdict, cause.over_limit) == ("", Verdict.FAILED, math.inf)
    assert cause.worst.comparison is None
    assert cause.sentence == cause.cells[0].reason


def test_the_blocking_come_first_then_what_is_farthest_over_its_limit() -> None:
    cells = [
        of_cell("a", changed("peak_rss", 0.9, 0.1, blocking=False)),
        of_cell("b", changed("latency_p50", 0.08)),
        of_cell("c", pesq(-0.6)),
    ]
    found = merged_causes(cells)

    assert [cause.metric for cause in found] == ["pesq", "latency_p50", "peak_rss"]
    assert [cause.blocking for cause in found] == [True, True, False]


def test_cells_share_a_cause_the_worst_of_them_first() -> None:
    cells = [
        of_cell("a", changed("latency_p50", 0.08), changed("rtf", 0.3)),
        of_cell("b", changed("latency_p50", 0.12)),
        of_cell("c", changed("rtf", 0.2)),
    ]
    first, second = merged_causes(cells)

    assert ([each.cell for each in first.cells], first.metric) == (["c"], "rtf")
    assert [each.cell for each in second.cells] == ["b", "a"]
    assert second.sentence == "12 % slower (limit 5 %). Also rtf"


def test_a_speed_that_is_decided_within_its_limit_tells_where() -> None:
    (cause,) = merged_causes([of_cell("a", changed("latency_p50", 0.04))])

    assert cause.sentence == "4 % slower (limit 5 %, decided at 3.5 %)"


def test_a_shift_over_its_limit_is_above_zero_where_it_is_worse() -> None:
    assert over_limit(pesq(-0.3)) == pytest.approx(2.0)
    assert over_limit(pesq(0.3)) == pytest.approx(-2.0)
    assert over_limit(replace(pesq(-0.3), verdict=Verdict.FAILED)) == math.inf
    assert over_limit(replace(pesq(-0.3), limit=None)) is None
    assert over_limit(changed("pitch_median", -0.1, better="neither")) == pytest.approx(2.0)
    broken = UtteranceChange(id="u1", before=3.8, now=1.8, worse=2.0)
    assert over_limit(replace(pesq(0.1), utterances=(broken,), worst=1.0)) == pytest.approx(2.0)


def test_a_cell_that_passed_is_told_by_its_largest_change() -> None:
    within = {"verdict": Verdict.PASS}
    told = telling_metric(
        of_cell(
            "a",
            changed("latency_p50", 0.001, **within),
            changed("rtf", 0.02, **within),
            pesq(-0.1, **within),
            verdict=Verdict.PASS,
        )
    )

    assert told is not None
    assert told.metric == "pesq"
    unmoved = of_cell("a", changed("latency_p50", 0.0, **within), pesq(-0.01, **within))
    steady = telling_metric(replace(unmoved, verdict=Verdict.PASS))
    assert steady is not None
    assert steady.metric == "latency_p50", "where nothing moved the pace tells it"
    assert telling_metric(of_cell("a", verdict=Verdict.PASS)) is None


def test_every_speed_metric_of_the_policy_has_its_kind() -> None:
    kinds = {*TIMES, *OWN_KIND}

    assert [name for name in policy() if is_speed(name) != (name in kinds)] == []


def test_another_length_is_a_cause_although_nothing_was_compared() -> None:
    metric = replace(pesq(-0.1), comparison=replace(pesq(0.0).comparison, shift=None), limit=None)
    (cause,) = merged_causes([of_cell("a", metric)])

    assert (cause.sentence, cause.over_limit) == ("pesq because", math.inf)


def test_other_words_tell_why_sounds_cannot_be_compared_and_are_told_in_points() -> None:
    """A wrong sentence has another length, too; the words are what is wrong."""
    lost = changed("golden_snr", 0.0, better="higher", unit="dB")
    assert lost.comparison is not None
    gone = replace(lost.comparison, shift=None, current=Missing("durations differ"))
    words = changed("wer", 33.0, 0.56, unit="1")
    assert words.comparison is not None
    read = replace(words.comparison, baseline=0.018, current=0.612, low=8.0, high=56.0)
    cell = of_cell("a", replace(lost, comparison=gone, limit=None), replace(words, comparison=read))

    (cause,) = merged_causes([cell])

    assert cause.sentence == "wer 59.4 points higher (limit 1.01 points). Also snr"
    told = told_shift(cause.worst)
    assert told is not None
    assert (told.size, told.limit_line) == ("+59.4 points [+14.4 +100.8]", "+1.01 points")
