"""Drift over a soak, planted and absent."""

import random

import pytest

from tests.harness.load.making import answer, loaded
from voxgate.harness.load.drift import Drift, DriftKind, drifts
from voxgate.harness.load.records import ResponseRecord

HOUR_S = 3600.0


def soak(
    growth: float, *, seed: int = 1, noise: float = 0.1, long_at: float = 0.5
) -> list[ResponseRecord]:
    """
    An hour of answers of two texts; latency grows by `growth` over it; the share of long texts
    moves up to `long_at`.
    """
    rng = random.Random(seed)
    found = []
    for number in range(1200):
        at_s = number * 3.0
        long = rng.random() < 0.5 + (long_at - 0.5) * at_s / HOUR_S
        usual_s = 2.0 if long else 0.2
        latency_s = usual_s * (1.0 + growth * at_s / HOUR_S) * rng.lognormvariate(0.0, noise)
        found.append(answer(at_s, latency_s, request="long" if long else "short"))
    return found


def found(
    answers: list[ResponseRecord], memory: tuple[tuple[float, int], ...] = ()
) -> tuple[Drift | str, ...]:
    return drifts(loaded(answers, ended_s=HOUR_S, memory=memory))


def readings(leak_bytes: float) -> tuple[tuple[float, int], ...]:
    rng = random.Random(3)
    return tuple(
        (at, int(5e8 + leak_bytes * at / HOUR_S + rng.uniform(0, 1e6))) for at in range(0, 3600, 2)
    )


@pytest.mark.parametrize(
    ("growth", "trend"),
    [
        (0.2, DriftKind.GROWS),
        (0.1, DriftKind.GROWS),
        (-0.2, DriftKind.FALLS),
        (0.0, DriftKind.STEADY),
    ],
)
def test_planted_growth_of_latency_is_found_and_named(growth: float, trend: DriftKind) -> None:
    latency, _ = found(soak(growth), readings(0.0))

    assert isinstance(latency, Drift) and latency.trend is trend
    assert latency.low <= latency.slope <= latency.high
    assert latency.slope == pytest.approx(growth, abs=0.05)
    assert trend.value in latency.sentence and "% per hour" in latency.sentence


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    several = [found(soak(0.05, seed=seed))[0] for seed in range(60)]
    # per hour, of the median over what is looked at: the soak without its first tenth
    truth = 0.05 / 1.0275

    held = [drift.low <= truth <= drift.high for drift in several if isinstance(drift, Drift)]
    # 57 are expected; fewer than 52 come by chance once in 200 times
    assert len(held) == 60 and sum(held) >= 52


def test_steady_servers_are_called_steady_nearly_always() -> None:
    trends = [
        drift.trend
        for seed in range(40)
        for drift in found(soak(0.0, seed=seed))[:1]
        if isinstance(drift, Drift)
    ]

    assert len(trends) == 40 and trends.count(DriftKind.STEADY) >= 38


def test_more_long_texts_later_are_no_drift() -> None:
    (latency, *_) = found(soak(0.0, long_at=1.0))

    assert isinstance(latency, Drift) and latency.trend is DriftKind.STEADY


def test_a_leak_is_found_and_caches_that_fill_at_first_are_none() -> None:
    _, leaking = found(soak(0.0), readings(1e8))
    assert (
        isinstance(leaking, Drift)
        and leaking.trend is DriftKind.GROWS
        and leaking.change == pytest.approx(0.18, abs=0.03)
    )

    # full after 200 s
    filling = tuple((at_s, min(size, int(3e8 + at_s * 1e6))) for at_s, size in readings(0.0))
    _, settled = found(soak(0.0), filling)
    assert isinstance(settled, Drift) and settled.trend is DriftKind.STEADY


def test_a_soak_of_two_minutes_decides_nothing() -> None:
    """Seen at a healthy server: 8 MiB more within two minutes, while its allocator settled."""
    short = tuple((at_s / 30, size) for at_s, size in readings(1e8))
    _, memory = drifts(
        loaded([answer(at_s / 30, 1.0) for at_s in range(0, 3600, 3)], ended_s=120.0, memory=short)
    )

    assert isinstance(memory, Drift) and memory.low > 0.0 and memory.trend is DriftKind.UNDECIDED
    assert "must last 10 min" in memory.sentence
    ten = tuple((at_s / 6, size) for at_s, size in readings(1e8))
    _, memory = drifts(
        loaded([answer(at_s / 6, 1.0) for at_s in range(0, 3600, 3)], ended_s=600.0, memory=ten)
    )
    assert isinstance(memory, Drift) and memory.trend is DriftKind.GROWS


def test_what_is_too_short_or_too_noisy_is_not_called_steady() -> None:
    few, nothing = found([answer(at_s, 1.0) for at_s in range(3)])
    assert isinstance(few, str) and "soak longer" in few and isinstance(nothing, str)

    (noisy, *_) = found(soak(0.0, noise=1.5)[::8])
    assert (
        isinstance(noisy, Drift)
        and noisy.trend is DriftKind.UNDECIDED
        and "no verdict" in noisy.sentence
    )

    (silent,) = drifts(loaded([answer(failure="busy")], ended_s=1.0))
    assert isinstance(silent, str) and "no answer came" in silent
