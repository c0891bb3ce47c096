"""
Aggregation rules of each metric, by its name: statistic, weight, per process or per iteration.

Also names the helpers: measurements that are stored, support others and are never judged. Computes
nothing.
"""

from collections.abc import Mapping

from voxgate.harness import statistics
from voxgate.harness.analysis.speed import BUDGET, LIVE_METRICS, STALLS
from voxgate.harness.analysis.stages import ISOLATED, SYNCHRONISED
from voxgate.harness.audio.condition import CONDITIONS
from voxgate.harness.metrics.registry import entries
from voxgate.harness.metrics.word_errors import KINDS
from voxgate.harness.records.cell import LENGTHS
from voxgate.harness.records.measurement import (
    Metric,
)

BY_LENGTH = {f"latency_{length}_p50": length for length in LENGTHS}
"""Metric -> the class of texts that it counts; only where a workload has several."""
PERCENTILES = {"latency_p50": 50.0, "latency_p95": 95.0, "latency_p99": 99.0}
ENERGY = "energy_per_audio_s"
TEXT_TIME = "text_per_100_characters"
"""Time of the text front-end; only where the engine names that stage."""
DRIFT = "in_process_drift"
"""
Growth of the time within a process. Its good value is zero, and it is held against its limit alone.
"""
STATISTICS: Mapping[str, statistics.Statistic] = {
    **{name: statistics.at_percentile(q) for name, q in PERCENTILES.items()},
    "rtf": statistics.rate,
    "rtf_median": statistics.at_percentile(50.0),
    "rtfx": statistics.inverse_rate,
    BUDGET: statistics.at_percentile(50.0),
    **{name: statistics.at_percentile(50.0) for name in BY_LENGTH},
    "first_audio_p50": statistics.at_percentile(50.0),
    "longest_gap_p50": statistics.at_percentile(50.0),
    TEXT_TIME: statistics.at_percentile(50.0),
    **{name: statistics.at_percentile(50.0) for name in LIVE_METRICS if name not in STALLS},
    "cold_start": statistics.at_percentile(50.0),
    "peak_rss": statistics.at_percentile(50.0),
    "peak_cuda_bytes": statistics.at_percentile(50.0),
    ENERGY: statistics.at_percentile(50.0),
}
"""Speed metric -> the statistic that summarises its values."""
PER_PROCESS = ("cold_start", "peak_rss", "peak_cuda_bytes", ENERGY)
"""Speed metrics that have one value per process; the others have one per measured iteration."""
RELATIVE = (
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "rtf",
    "rtf_median",
    BUDGET,
    *BY_LENGTH,
    "first_audio_p50",
    "longest_gap_p50",
    TEXT_TIME,
    "live_latency_p50",
    "live_latency_p95",
    "live_load",
)
"""
Metrics whose spread is computed relative to the same request.

Sentences are long or short by choice of the workload and not by chance, and an iteration that is
left out as disturbed must not shift the mix.
"""
PREFIXES = ("", *(condition.prefix for condition in CONDITIONS.values()))
WEIGHTS = {
    "rtf": "duration",
    **{f"{prefix}wer": "wer_words" for prefix in PREFIXES},
    **{f"{prefix}{kind}": "wer_words" for prefix in PREFIXES for kind in KINDS},
    **{f"{prefix}cer": "cer_chars" for prefix in PREFIXES},
    **{f"{prefix}wer_verbatim": "verbatim_words" for prefix in PREFIXES},
}
"""Sum-over-sum metrics, and the measurement that holds each utterance's weight."""
STAGE = "stage."
BY_STAGE = (STAGE, SYNCHRONISED, ISOLATED)
"""Prefixes of the helpers that hold seconds of a stage."""
DISTURBED = Metric(name="disturbed_share", unit="1", better="neither", version="1")
"""
Share of the measured iterations that do not count, one value per process; only where the system
reports interference.
"""
HELPERS = (
    DISTURBED,
    Metric(name="wer_words", unit="words", better="neither", version="1"),
    Metric(name="cer_chars", unit="characters", better="neither", version="1"),
    Metric(name="verbatim_words", unit="words", better="neither", version="1"),
)
PROCESS = "process"
"""The id of values that belong to a process and not to a request."""


def is_known(name: str) -> bool:
    """Return whether a metric or helper of that name exists."""
    return (
        name.startswith(BY_STAGE)
        or name in entries()
        or any(name == metric.name for metric in HELPERS)
    )


def is_helper(name: str) -> bool:
    """Return whether the measurement only serves others, and is neither shown nor judged."""
    return name.startswith(BY_STAGE) or any(name == metric.name for metric in HELPERS)


def is_speed(name: str) -> bool:
    """Return whether the metric belongs to the machine and not to the audio."""
    return (
        name in STATISTICS
        or name in STALLS
        or name.startswith(BY_STAGE)
        or name in (DISTURBED.name, DRIFT)
    )
