"""One broken utterance fails a cell, whatever the mean over the others says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.fake_runs import REQUESTS, accepted, good_run, judged, make_scores, policy
from voxgate.harness.analysis.aggregate import aggregate
from voxgate.harness.judging.baseline import of_run
from voxgate.harness.judging.compare_quality import compare_quality, utterance_changes
from voxgate.harness.judging.decide import decide
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.shift import spread_of
from voxgate.harness.records.measurement import (
    Better,
    Measurement,
    Missing,
    MissingKind,
    UtteranceValue,
    Value,
)
from voxgate.harness.records.verdict import (
    CellVerdict,
    Limit,
    MetricVerdict,
    RunVerdict,
    Verdict,
    judgement_from_dict,
    judgement_to_dict,
)

LIMIT = Limit(
    relative=None, absolute=0.5, blocking=True, against="intrinsic", evidence="none", worst=0.2
)
PROVEN = replace(LIMIT, evidence="utterances")


def measured(
    values: Mapping[str, Value | Sequence[Value]], better: Better = "lower", unit: str = "1"
) -> Measurement:
    """Several values of one utterance are its takes."""
    taken = {name: v if isinstance(v, Sequence) else (v,) for name, v in values.items()}
    flat = [(name, take, v) for name, held in taken.items() for take, v in enumerate(held)]
    numbers = [v for _, _, v in flat if isinstance(v, float)]
    gaps = [v for _, _, v in flat if isinstance(v, Missing)]
    return Measurement(
        metric="clicks",
        unit=unit,
        better=better,
        version="1",
        values=tuple(UtteranceValue(id=n, value=v, repeat=take) for n, take, v in flat),
        summary=gaps[0] if gaps else sum(numbers) / len(numbers),
    )


def verdict_on(now: Measurement, before: Measurement, limit: Limit = LIMIT) -> MetricVerdict:
    return decide(compare_quality("nfe-8", now, before, None), limit)


FINE = dict.fromkeys(("a", "b", "c", "d"), 0.0)


@pytest.mark.parametrize("limit", [LIMIT, PROVEN])
def test_one_of_four_is_regressed_though_the_mean_passes(limit: Limit) -> None:
    found = verdict_on(measured({**FINE, "c": 0.3}), measured(FINE), limit)
    assert (found.verdict, found.blocking, found.worst) == (Verdict.REGRESSED, True, 0.2)
    assert [(each.id, each.before, each.now) for each in found.utterances] == [("c", 0.0, 0.3)]
    assert found.reason.startswith(
        "clicks of c 0 -> 0.3, limit +0.2 for one utterance; on average clicks +0.075"
    )


def test_up_to_the_limit_nothing_is_broken() -> None:
    found = verdict_on(measured({**FINE, "c": 0.2}), measured(FINE))
    assert (found.verdict, found.utterances, found.worst) == (Verdict.PASS, (), None)


def test_a_mean_that_is_not_proven_hides_no_broken_utterance() -> None:
    now, before = measured({**FINE, "c": 4.0}), measured(FINE)
    assert verdict_on(now, before, replace(PROVEN, worst=None)).verdict is Verdict.UNRESOLVED
    assert verdict_on(now, before, PROVEN).verdict is Verdict.REGRESSED


def test_better_others_do_not_offset_a_broken_one() -> None:
    now, before = {**dict.fromkeys("abcd", 0.0), "e": 1.0}, dict.fromkeys("abcde", 0.7)
    alone = replace(LIMIT, absolute=0.1)
    assert verdict_on(measured(now), measured(before), replace(alone, worst=None)).verdict is (
        Verdict.IMPROVED
    )
    assert verdict_on(measured(now), measured(before), alone).verdict is Verdict.REGRESSED


def test_as_many_as_the_policy_allows_may_be_broken() -> None:
    one, two = {**FINE, "c": 0.3}, {**FINE, "c": 0.3, "d": 0.4}
    allowing = replace(LIMIT, count=1)
    assert verdict_on(measured(one), measured(FINE), allowing).verdict is Verdict.PASS
    found = verdict_on(measured(two), measured(FINE), allowing)
    assert found.verdict is Verdict.REGRESSED
    assert [each.id for each in found.utterances] == ["d", "c"]
    assert "for one utterance, which 1 may exceed" in found.reason


def test_a_reason_names_the_three_worst_and_counts_the_others() -> None:
    now = dict(zip("abcde", (0.3, 0.9, 0.5, 0.7, 0.8), strict=True))
    found = verdict_on(measured(now), measured(dict.fromkeys("abcde", 0.0)))
    assert "of b 0 -> 0.9, of e 0 -> 0.8, of d 0 -> 0.7 and of 2 more, limit" in found.reason
    assert len(found.utterances) == 5


def test_utterances_are_paired_by_request_and_not_by_place() -> None:
    before = {"a": 0.0, "b": 0.9, "gone": 0.0}
    now = {"new": 5.0, "b": 0.9, "a": 0.1}
    changes = utterance_changes(measured(now), measured(before))
    assert [(each.id, each.worse) for each in changes] == [("a", 0.1), ("b", 0.0)]


@pytest.mark.parametrize(
    ("better", "now", "worse"),
    [("lower", 1.4, 0.4), ("lower", 0.6, -0.4), ("higher", 0.6, 0.4), ("neither", 0.6, 0.4)],
)
def test_worse_goes_by_the_metrics_own_direction(better: Better, now: float, worse: float) -> None:
    (found,) = utterance_changes(measured({"a": now}, better), measured({"a": 1.0}, better))
    assert (found.before, found.now, found.worse) == (1.0, now, pytest.approx(worse))


def test_of_several_takes_the_worst_ones_are_compared() -> None:
    """A best take does not excuse the worst, and a baseline's worst take is known to happen."""
    before, now = {"a": (0.3, 0.4)}, {"a": (0.0, 0.7)}
    (found,) = utterance_changes(measured(now), measured(before))
    assert (found.before, found.now, found.worse) == (0.4, 0.7, pytest.approx(0.2))
    either = [measured(v, "neither") for v in ({"a": (0.5, 1.2)}, {"a": (1.0, 1.1)})]
    assert utterance_changes(*either)[0].worse == pytest.approx(0.4)


def test_a_difference_that_nobody_hears_breaks_nothing() -> None:
    before, now = measured({"a": 120.0}, "higher", "dB"), measured({"a": 61.0}, "higher", "dB")
    assert utterance_changes(now, before)[0].worse == 0.0


def test_an_utterance_that_lost_its_value_is_failed_and_hides_no_other() -> None:
    before = measured({"a": 0.0, "b": 0.0, "c": 0.0})
    lost = verdict_on(measured({"a": Missing("silent"), "b": 9.0, "c": 0.0}), before)
    assert (lost.verdict, lost.utterances[0].id) == (Verdict.FAILED, "b")
    assert lost.reason.startswith("clicks: no value, though the baseline has one")
    absent = Missing("x is not installed", MissingKind.NOT_INSTALLED)
    deaf = verdict_on(measured({"a": absent, "b": 9.0, "c": 0.0}), before)
    assert (deaf.verdict, deaf.blocking) == (Verdict.REGRESSED, True)


def test_a_mean_that_informs_may_have_a_limit_that_blocks() -> None:
    now, before = measured({**FINE, "c": 0.3}), measured(FINE)
    advisory = replace(LIMIT, blocking=False)
    assert not verdict_on(now, before, advisory).blocking
    blocking = replace(advisory, worst_blocks=True)
    assert verdict_on(now, before, blocking).blocking
    assert not verdict_on(before, before, blocking).blocking


def test_a_spread_has_percentiles_and_the_worst_utterance() -> None:
    values = {f"u{number:02d}": number / 10 for number in range(21)}
    found = spread_of(measured(values, "higher"))
    assert found is not None
    assert (found.p5, found.p95) == (pytest.approx(0.1), pytest.approx(1.9))
    assert (found.worst, found.value) == ("u00", 0.0)
    assert spread_of(measured({"a": 1.0})) is None
    far = spread_of(measured({"a": 1.0, "b": 1.1, "c": 0.2}, "neither"))
    assert far is not None
    assert far.worst == "c"


def of(judgement: RunVerdict) -> CellVerdict:
    return next(cell for cell in judgement.cells if cell.cell == "nfe-8")


BROKEN = {name: 2.4 if name == "u03" else 3.65 for name in REQUESTS}


def test_one_broken_utterance_fails_the_check(tmp_path: Path) -> None:
    """The mean fell by 0.06, and 0.18 are allowed."""
    judgement = judged(good_run(), accepted(tmp_path), pesq=BROKEN)
    assert (judgement.exit_code, of(judgement).verdict) == (1, Verdict.REGRESSED)
    assert of(judgement).reason.startswith(
        "pesq of u03 3.6 -> 2.4, limit -1 MOS-LQO for one utterance"
    )


def test_the_golden_audio_and_two_revisions_are_judged_by_utterance_too(tmp_path: Path) -> None:
    golden = judged(good_run(), accepted(tmp_path), golden_pesq=BROKEN)
    assert of(golden).reason.startswith("golden_pesq of u03")
    run = good_run()
    base, head = (aggregate(run, make_scores(run, **change)) for change in ({}, {"pesq": BROKEN}))
    paired = judge(run, head, of_run(run, base), policy(), paired=True)
    assert (paired.exit_code, of(paired).verdict) == (1, Verdict.REGRESSED)


def test_the_document_holds_the_utterances_as_data(tmp_path: Path) -> None:
    judgement = judged(good_run(), accepted(tmp_path), pesq=BROKEN)
    document = judgement_to_dict(judgement)
    (pesq,) = (
        metric
        for cell in document["cells"]
        for metric in cell["metrics"]
        if cell["cell"] == "nfe-8" and metric["metric"] == "pesq"
    )
    assert [(each["id"], each["before"], each["now"]) for each in pesq["utterances"]] == [
        ("u03", 3.6, 2.4)
    ]
    assert pesq["comparison"]["spread"]["worst"] == "u03"
    assert "changes" not in pesq["comparison"]
    found = judgement_from_dict(document)
    assert [each.utterances for each in of(found).metrics] == [
        each.utterances for each in of(judgement).metrics
    ]
