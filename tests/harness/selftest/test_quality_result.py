"""What was seen, what was overlooked, what was a false alarm, and the conclusion from that."""

import pytest

from tests.harness.selftest.finding import (
    ADVISED,
    COLUMNS,
    HEARD,
    SEEN,
    UNPROVEN,
    UNSEEN,
    finding,
    matrix,
    trust,
)
from voxgate.harness.records.verdict import Comparison, MetricVerdict, Verdict
from voxgate.harness.selftest.quality_result import (
    Sight,
    columns_with_sight,
    failing,
    false_alarms,
    hidden,
    is_trustworthy,
    overlooked,
    sight_of,
)
from voxgate.harness.selftest.specimens import ONE, Kind


def verdict(which: Verdict, *, blocking: bool = True, shift: float | None = 0.5) -> MetricVerdict:
    comparison = Comparison(
        cell="c",
        metric="snr",
        unit="dB",
        better="higher",
        baseline=20.0,
        current=10.0,
        shift=shift,
        low=None,
        high=None,
        n_baseline=8,
        n_current=8,
        incomparable=(),
        detail="",
    )
    return MetricVerdict(
        metric="snr", verdict=which, reason="", comparison=comparison, blocking=blocking
    )


@pytest.mark.parametrize(
    ("given", "sight"),
    [
        (verdict(Verdict.REGRESSED), Sight.SEEN),
        (verdict(Verdict.FAILED, shift=None), Sight.SEEN),
        (verdict(Verdict.REGRESSED, blocking=False), Sight.ADVISED),
        (verdict(Verdict.PASS), Sight.UNSEEN),
        (verdict(Verdict.IMPROVED), Sight.UNSEEN),
        (verdict(Verdict.UNRESOLVED), Sight.UNPROVEN),
        (verdict(Verdict.UNRESOLVED, shift=None), Sight.ABSENT),
        (verdict(Verdict.NO_BASELINE, shift=None), Sight.ABSENT),
        (verdict(Verdict.INCOMPARABLE, shift=None), Sight.ABSENT),
    ],
)
def test_a_verdict_is_read_as_what_the_metric_saw(given: MetricVerdict, sight: Sight) -> None:
    assert sight_of(given) is sight


def test_a_finding_names_who_saw_it_and_sums_up_the_strongest() -> None:
    both = finding("click", SEEN | ADVISED)
    assert (both.by, both.advised_by, both.summed) == (("snr",), ("pesq",), Sight.SEEN)
    assert finding("click", ADVISED).summed is Sight.ADVISED
    assert finding("click", UNPROVEN).summed is Sight.UNPROVEN
    assert finding("click", UNSEEN).summed is Sight.UNSEEN


def test_only_the_greatest_strength_must_be_seen() -> None:
    weak, strong = finding("click", UNSEEN, strength="0.1"), finding("click", SEEN, strength="1")
    alone = finding("click", UNSEEN, strength="1", extent=ONE)
    found = matrix(weak, strong, alone)
    assert found.rows == [weak, strong]
    assert found.greatest == [strong]
    assert found.alone(strong) == alone and found.alone(weak) is None
    assert overlooked(found) == []
    assert overlooked(matrix(strong, finding("click", UNSEEN, strength="2"))) == ["click"]


def test_advice_does_not_count_as_seen_and_a_setting_is_a_fault() -> None:
    assert overlooked(
        matrix(finding("click", ADVISED), finding("nfe_steps=2", UNSEEN, kind=Kind.SETTING))
    ) == [
        "click",
        "nfe_steps=2",
    ]


@pytest.mark.parametrize(
    ("matrices", "trustworthy"),
    [
        ([matrix(finding("click", HEARD), finding("rounding", ADVISED, kind=Kind.HARMLESS))], True),
        ([matrix(finding("click", SEEN))], False),
        ([matrix(finding("click", UNSEEN))], False),
        ([matrix(finding("click", HEARD), finding("rounding", SEEN, kind=Kind.HARMLESS))], False),
        (
            [matrix(finding("click", HEARD)), matrix(finding("click", UNSEEN), audio="recordings")],
            False,
        ),
        ([matrix(finding("rounding", UNSEEN, kind=Kind.HARMLESS))], False),
        ([], False),
    ],
)
def test_verdicts_are_trusted_where_all_faults_and_nothing_harmless_was_seen_on_all_audio(
    matrices, trustworthy
) -> None:
    assert is_trustworthy(trust(*matrices)) is trustworthy


def test_parity_alone_is_not_enough_but_for_settings_and_what_cannot_be_seen() -> None:
    late, setting = finding("late", SEEN), finding("nfe_steps=2", SEEN, kind=Kind.SETTING)
    found = matrix(finding("click", HEARD), late, setting)
    assert (late.by, late.free(COLUMNS).by) == (("snr",), ())
    assert (overlooked(found), hidden(found, COLUMNS)) == ([], ["late"])
    assert failing(trust(found)) == ["late"] and not is_trustworthy(trust(found))
    assert is_trustworthy(trust(found, unseeable={"late": "nobody hears it"}))
    unseen = matrix(finding("click", HEARD), finding("late", UNSEEN))
    assert is_trustworthy(trust(unseen, unseeable={"late": "nobody hears it"}))


def test_a_false_alarm_is_one_of_a_metric_that_blocks() -> None:
    alarm = finding("rounding", SEEN, kind=Kind.HARMLESS)
    assert false_alarms(
        matrix(alarm, finding("no fault", ADVISED, kind=Kind.HARMLESS), finding("click", SEEN))
    ) == [alarm]


def test_a_metric_without_a_value_anywhere_gets_no_column() -> None:
    blind = finding("click", {"pesq": Sight.ABSENT, "clicks": Sight.ABSENT})
    seeing = finding("click", {"pesq": Sight.ABSENT})
    assert [each.metric for each in columns_with_sight(COLUMNS, [matrix(blind)])] == ["snr"]
    assert [
        each.metric for each in columns_with_sight(COLUMNS, [matrix(blind), matrix(seeing)])
    ] == ["snr", "clicks"]
