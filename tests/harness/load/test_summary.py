"""Numbers of a level, on answers whose numbers are known."""

import numpy as np
import pytest

from tests.harness.load.making import answer, loaded
from voxgate.harness.load.drift import drifts
from voxgate.harness.load.records import LoadPhase
from voxgate.harness.load.summary import (
    Memory,
    at_once,
    cold_start,
    lateness_s,
    memories,
    rows,
    spread,
    too_few,
)
from voxgate.harness.statistics import Interval


def test_rates_percentiles_and_goodput_of_known_answers() -> None:
    answers = [
        answer(planned_s=float(number), latency_s=0.1 * (number + 1)) for number in range(10)
    ]
    (row,) = rows(loaded(answers, ended_s=20.0), limit_s=0.5)

    assert (row.sent, row.answered, row.answers_per_s, row.audio_per_s) == (10, 10, 0.5, 1.0)
    assert row.latency_s["p50"].point == pytest.approx(0.55) and row.latency_s[
        "p95"
    ].point == pytest.approx(0.955)
    assert row.first_audio_s["p50"].point == pytest.approx(0.275)
    assert (row.in_time_per_s, row.in_time_share) == (0.25, 0.5)
    assert too_few(row) == ("p95", "p99")


def test_failures_are_counted_and_are_never_in_time() -> None:
    failed = [
        answer(failure="busy"),
        answer(failure="busy"),
        answer(failure="timeout", first_audio_s=None),
    ]
    (row,) = rows(loaded([answer(latency_s=0.2), *failed], ended_s=2.0), limit_s=60.0)

    assert row.failures == {"busy": 2, "timeout": 1} and (row.sent, row.answered) == (4, 1)
    assert row.latency_s["p99"].point == pytest.approx(0.2)  # a refusal is quick, and no answer
    assert row.in_time_share == 0.25
    (nothing,) = rows(loaded(failed, ended_s=2.0), limit_s=None)
    assert nothing.latency_s == {} and nothing.in_time_share is None


def test_underruns_are_told_by_minutes_of_speech_that_came_whole() -> None:
    answers = [
        answer(underruns=1, audio_s=20.0),
        answer(underruns=2, audio_s=10.0),
        answer(underruns=9, failure="broken"),
    ]
    (row,) = rows(loaded(answers, ended_s=20.0), limit_s=None)
    assert row.underruns_per_min == pytest.approx(6.0)

    # as loads of before this was noted have it
    (row,) = rows(loaded([answer()], ended_s=20.0), limit_s=None)
    assert row.underruns_per_min is None


def test_classes_of_length_stand_apart_and_warming_up_is_left_out() -> None:
    mixed = [
        answer(latency_s=0.1),
        answer(latency_s=1.0, length="long"),
        answer(latency_s=9.0, phase=LoadPhase.WARMUP),
    ]
    found = {row.length: row for row in rows(loaded(mixed, ended_s=1.0), None)}

    assert list(found) == ["all", "short", "long"]
    assert found["short"].latency_s["p50"].point == pytest.approx(0.1)
    assert found["long"].latency_s["p50"].point == pytest.approx(1.0)
    assert found["all"].sent == 2


def test_a_level_that_answered_nothing_still_has_a_row() -> None:
    from voxgate.harness.load.records import Span

    (row,) = rows(loaded([], 1.0, spans=(Span(level="open-1", began_s=0.0, ended_s=1.0),)), 1.0)
    assert (row.sent, row.answered, row.latency_s, row.in_time_share) == (0, 0, {}, None)


@pytest.mark.parametrize("count", [12, 30, 200, 9000])
def test_intervals_hold_their_point_and_narrow_with_more_answers(count: int) -> None:
    values = np.random.default_rng(1).lognormal(0.0, 0.3, count).tolist()
    found = spread(values, 50.0)

    assert found.low is not None and found.high is not None
    assert found.low <= found.point <= found.high
    assert found.point == pytest.approx(float(np.median(values)))
    if count >= 200:
        assert (found.high - found.low) / found.point < 0.3


def test_answers_that_hang_together_make_the_interval_wider() -> None:
    """
    Half a level in a traffic jam: shuffled, the answers would seem to know their median twice as
    well.
    """
    rng = np.random.default_rng(2)
    jam = np.repeat(rng.lognormal(0.0, 0.5, 8), 40) * rng.lognormal(0.0, 0.05, 320)
    ordered, shuffled = spread(jam.tolist(), 50.0), spread(rng.permutation(jam).tolist(), 50.0)

    assert ordered.high - ordered.low > 2 * (shuffled.high - shuffled.low)  # type: ignore[operator]


def test_too_few_answers_have_no_interval() -> None:
    assert spread([1.0, 2.0] * 6, 50.0).low is not None
    assert (spread([1.0] * 11, 50.0).low, spread([1.0], 99.0).point) == (None, 1.0)


def test_what_is_in_flight_at_once_is_counted() -> None:
    assert at_once([]) == 0
    assert at_once([answer(0.0, 1.0), answer(1.0, 1.0)]) == 1  # one ends as the other begins
    assert at_once([answer(0.0, 3.0), answer(1.0, 1.0), answer(1.5, 1.0), answer(2.6, 1.0)]) == 3


def test_memory_per_request_is_what_a_level_takes_beyond_before() -> None:
    memory = ((-1.0, 100), (0.0, 110), (1.0, 170), (2.0, 150), (3.5, 130))
    (found,) = memories(loaded([answer(0.0, 2.0), answer(0.5, 2.0)], ended_s=3.0, memory=memory))

    assert found == Memory(
        level="closed-1", before_bytes=110, peak_bytes=170, after_bytes=130, at_once=2
    )
    assert found.per_request_bytes == 30.0
    assert memories(loaded([answer()], ended_s=3.0)) == ()  # a server that is not ours


def test_the_first_request_stands_apart_with_the_same_again() -> None:
    warm = [
        answer(1.0, 0.3, phase=LoadPhase.WARMUP, request="r2"),
        answer(2.0, 0.2, phase=LoadPhase.WARMUP),
    ]
    found = cold_start(loaded([answer(0.0, 5.0, phase=LoadPhase.COLD), *warm], ended_s=9.0))

    assert found is not None and found.again is not None
    assert (found.ready_s, found.first.latency_s, found.again.request) == (2.5, 5.0, "r1")
    assert cold_start(loaded([], ended_s=1.0)) is None


def test_the_loads_own_lateness_is_told() -> None:
    assert lateness_s([answer(1.0), answer(2.0, sent_s=2.25)]) == 0.25
    assert lateness_s([]) == 0.0


def test_answers_that_took_no_time_have_percentiles_without_bounds_and_no_drift() -> None:
    answers = [answer(planned_s=float(at_s), latency_s=0.0, audio_s=0.0) for at_s in range(1000)]
    found = loaded(answers, ended_s=1000.0, memory=tuple((float(at_s), 0) for at_s in range(1000)))
    (row,) = rows(found, limit_s=0.5)
    assert row.latency_s["p99"] == Interval(point=0.0, low=None, high=None)
    assert all("no drift can be told" in str(drift) for drift in drifts(found))
