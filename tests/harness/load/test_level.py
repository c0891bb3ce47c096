"""Levels, arrivals, texts."""

from itertools import islice

import numpy as np
import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.load.plan import (
    Extent,
    Level,
    arrivals_s,
    one_of_each,
    parse_levels,
    shuffled_requests,
)
from voxgate.harness.records.cell import Request, length_of
from voxgate.harness.suite.workload import load_workload


def test_levels_are_read() -> None:
    assert [level.label for level in parse_levels("1, 2,4", None)] == [
        "closed-1",
        "closed-2",
        "closed-4",
    ]
    assert (
        parse_levels(None, 1.5) == (Level(rate_per_s=1.5),)
        and Level(rate_per_s=1.5).label == "open-1.5"
    )


@pytest.mark.parametrize(
    ("closed", "rate", "message"),
    [
        (None, None, "one of the two"),
        ("1", 1.0, "one of the two"),
        ("", None, "each once, e.g. 1,2,4; not ''"),
        ("0", None, "from 1 to 1000"),
        ("1,1", None, "each once"),
        ("2.5", None, "not '2.5'"),
        (None, 0.0, "above 0, not 0.0"),
        (None, float("nan"), "above 0, not nan"),
    ],
)
def test_levels_that_cannot_be_meant_are_refused(
    closed: str | None, rate: float | None, message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        parse_levels(closed, rate)


def test_arrivals_are_poisson_and_known_beforehand() -> None:
    found = list(arrivals_s(5.0, Extent(requests=4000), seed=1))
    gaps = np.diff([0.0, *found])

    assert (
        found
        == list(arrivals_s(5.0, Extent(requests=4000), seed=1))
        != list(arrivals_s(5.0, Extent(requests=4000), seed=2))
    )
    assert gaps.mean() == pytest.approx(0.2, rel=0.06)  # four standard errors
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)  # exponential gaps, not a metronome


def test_arrivals_end_with_the_time_or_the_count() -> None:
    by_time = list(arrivals_s(100.0, Extent(duration_s=2.0), seed=3))
    assert 140 < len(by_time) < 260 and by_time[-1] <= 2.0
    assert len(list(arrivals_s(100.0, Extent(duration_s=2.0, requests=5), seed=3))) == 5


def test_every_text_comes_once_before_any_comes_again() -> None:
    requests = [Request(id=f"r{number}", text="x") for number in range(5)]
    order = [request.id for request in islice(shuffled_requests(requests, 7), 15)]

    assert [sorted(order[start : start + 5]) for start in (0, 5, 10)] == [
        [f"r{number}" for number in range(5)]
    ] * 3
    assert order[:5] != order[5:10] or order[5:10] != order[10:]
    assert order == [request.id for request in islice(shuffled_requests(requests, 7), 15)]


def test_texts_have_three_classes() -> None:
    assert [length_of("x" * count) for count in (1, 60, 61, 200, 201)] == [
        "short",
        "short",
        "medium",
        "medium",
        "long",
    ]


def test_the_serving_workload_has_as_many_of_each_class_in_held_out_sentences() -> None:
    requests = load_workload("serving").requests
    sentences = {request.text for request in load_workload("everyday-200").requests}

    classes = [length_of(request.text) for request in requests]
    assert [classes.count(name) for name in ("short", "medium", "long")] == [4, 4, 4]
    assert all(request.id.startswith(name) for request, name in zip(requests, classes, strict=True))
    assert [request.id for request in one_of_each(requests)] == ["short1", "medium1", "long1"]
    for request in requests:
        rest = request.text
        for sentence in sentences:
            rest = rest.replace(sentence, "")
        assert rest.strip() == ""
