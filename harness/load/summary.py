"""
The summary of a level: rates, percentiles with intervals, failures, memory. Pure.

Responses of one level depend on each other: they shared one queue. So an interval does not treat
them one by one, but in blocks that follow each other in time, each a "process" of
`voxgate.harness.statistics` (the method of batch means). Percentiles are of the complete responses;
incomplete ones are counted beside them, and in the goodput.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from voxgate.harness import statistics
from voxgate.harness.load.records import LoadPhase, LoadRecord, ResponseRecord
from voxgate.harness.records.cell import LENGTHS
from voxgate.harness.statistics import Interval

ALL = "all"
BLOCKS = 8
"""In time; more would be shorter than a jam, and so not independent."""
LEAST_BLOCKS = 4
"""Fewer leave Student's t too few degrees of freedom for a meaningful interval."""
PER_BLOCK = 3
"""The fewest responses of a block."""
MOST = 4000
"""
Responses that an interval is computed from; of more, every n-th in the order of time: somewhat
wider, in far less memory.
"""
TAILS = (95.0, 99.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRow:
    """One level, one class of length (or all)."""

    level: str
    length: str
    sent: int
    answered: int
    failures: Mapping[str, int]
    """Kind -> count."""
    answers_per_s: float
    audio_per_s: float
    """Seconds of speech per second."""
    latency_s: Mapping[str, Interval]
    """`p50`, `p95`, `p99`; empty without any response."""
    first_audio_s: Mapping[str, Interval]
    """`p50`, `p95`."""
    underruns_per_min: float | None
    """
    Per minute of speech, for players that begin with the first chunk; None where none was counted.
    """
    in_time_per_s: float | None
    """Goodput: responses within the limit per second; None without a limit."""
    in_time_share: float | None
    """Of all requests that were sent, failures included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of the server around one level."""

    level: str
    before_bytes: int
    peak_bytes: int
    after_bytes: int
    at_once: int
    """The most requests in flight."""

    @property
    def per_request_bytes(self) -> float:
        """Growth of a level at its peak, for each request in flight at most."""
        return (self.peak_bytes - self.before_bytes) / max(1, self.at_once)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """The first request of all, and the same one again."""

    ready_s: float | None
    first: ResponseRecord
    again: ResponseRecord | None


def rows(loaded: LoadRecord, limit_s: float | None) -> tuple[LoadRow, ...]:
    """
    Summarise every level: all texts, and each class of length that occurs, where there is more than
    one.
    """
    level_rows = []
    for level in dict.fromkeys(span.level for span in loaded.spans):
        spans = [span for span in loaded.spans if span.level == level]
        duration_s = max(sum(span.ended_s - span.began_s for span in spans), 1e-9)
        answers = sorted(_of(loaded, level), key=lambda answer: answer.planned_s)
        present = {answer.length for answer in answers}
        classes = [name for name in LENGTHS if name in present]
        for length in (ALL, *(classes if len(classes) > 1 else ())):
            chosen = [answer for answer in answers if length in (ALL, answer.length)]
            level_rows.append(_row((level, duration_s), length, chosen, limit_s))
    return tuple(level_rows)


def memories(loaded: LoadRecord) -> tuple[Memory, ...]:
    """
    Return the memory around every level, in the first repeat; none where the server is not ours.
    """
    readings = []
    for span in (span for span in loaded.spans if not span.repeat):
        before = [size for at_s, size in loaded.memory if at_s <= span.began_s]
        during = [size for at_s, size in loaded.memory if span.began_s <= at_s <= span.ended_s]
        after = [size for at_s, size in loaded.memory if at_s >= span.ended_s]
        if not before:
            continue
        readings.append(
            Memory(
                level=span.level,
                before_bytes=before[-1],
                peak_bytes=max([before[-1], *during]),
                after_bytes=(after or during or before[-1:])[0 if after else -1],
                at_once=at_once(_of(loaded, span.level, span.repeat)),
            )
        )
    return tuple(readings)


def cold_start(loaded: LoadRecord) -> Cold | None:
    """Return the first request of all; None where there was none."""
    first = next((answer for answer in loaded.answers if answer.phase is LoadPhase.COLD), None)
    if first is None:
        return None
    same = (
        answer
        for answer in loaded.answers
        if answer.phase is LoadPhase.WARMUP and answer.request == first.request
    )
    return Cold(ready_s=loaded.server.get("ready_s"), first=first, again=next(same, None))


def at_once(answers: Iterable[ResponseRecord]) -> int:
    """Count the most requests that were in flight at one moment."""
    steps = []
    for answer in answers:
        steps += [(answer.sent_s, 1), (answer.done_s, -1)]
    return int(max(np.cumsum([step for _, step in sorted(steps)]), default=0))


def lateness_s(answers: Sequence[ResponseRecord]) -> float:
    """
    Return the longest delay between a planned time and its request: how far the load itself fell
    behind.
    """
    return max((answer.sent_s - answer.planned_s for answer in answers), default=0.0)


def spread(values: Sequence[float], q: float) -> Interval:
    """
    Return a percentile of values in the order of time, with its interval; without bounds where the
    values are too few, or where one is 0, which has no logarithm.
    """
    point = float(statistics.percentile(values, q))
    count = min(BLOCKS, len(values) // PER_BLOCK)
    if count < LEAST_BLOCKS or min(values) <= 0.0:
        return Interval(point=point, low=None, high=None)
    thinned = np.asarray(values, dtype=np.float64)[:: -(-len(values) // MOST)]
    bounds = statistics.interval(np.array_split(thinned, count), statistics.at_percentile(q))
    assert bounds.low is not None and bounds.high is not None
    return Interval(point=point, low=min(point, bounds.low), high=max(point, bounds.high))


def too_few(row: LoadRow) -> tuple[str, ...]:
    """
    Return the percentiles that a row has too few responses for: even its slowest one is no reliable
    estimate of that tail.
    """
    return tuple(f"p{q:.0f}" for q in TAILS if row.answered < statistics.samples_needed(q))


def _of(loaded: LoadRecord, level: str, repeat: int | None = None) -> list[ResponseRecord]:
    """Return the responses under a level, of one repeat or of all."""
    return [
        response
        for response in loaded.answers
        if response.phase is LoadPhase.LOADED
        and response.level == level
        and repeat in (None, response.repeat)
    ]


def _row(
    level: tuple[str, float],
    length: str,
    answers: Sequence[ResponseRecord],
    limit_s: float | None,
) -> LoadRow:
    whole = [answer for answer in answers if not answer.failure]
    name, duration_s = level
    in_time = None if limit_s is None else sum(answer.latency_s <= limit_s for answer in whole)
    waits_s = [answer.wait_s for answer in whole if answer.wait_s is not None]
    latencies_s = [answer.latency_s for answer in whole]
    return LoadRow(
        level=name,
        length=length,
        sent=len(answers),
        answered=len(whole),
        failures=dict(Counter(answer.failure for answer in answers if answer.failure)),
        answers_per_s=len(whole) / duration_s,
        audio_per_s=sum(answer.audio_s for answer in whole) / duration_s,
        latency_s={f"p{q:.0f}": spread(latencies_s, q) for q in (50.0, *TAILS)} if whole else {},
        first_audio_s={f"p{q:.0f}": spread(waits_s, q) for q in (50.0, 95.0)} if waits_s else {},
        underruns_per_min=_underruns_per_min(whole),
        in_time_per_s=None if in_time is None else in_time / duration_s,
        in_time_share=None if in_time is None or not answers else in_time / len(answers),
    )


def _underruns_per_min(answers: Sequence[ResponseRecord]) -> float | None:
    noted = [
        (answer.underruns, answer.audio_s) for answer in answers if answer.underruns is not None
    ]
    audio_s = sum(audio_s for _, audio_s in noted)
    return 60.0 * sum(underruns for underruns, _ in noted) / audio_s if audio_s else None
