"""
The metric registry: name, unit, better direction and version of every metric, as data.

The single place that knows every metric's name; computes nothing and sets no limit. To add a
metric: write its pure function in a family's file and a line into that family's METRICS; a new
family also has a line in FAMILIES here. Raise the version when the same input would yield another
number: values of different versions are not comparable.

The families are imported at the first request for a name: some of them need scipy, which takes half
a second.

Plug-in packages add metrics by the entry point group "voxgate.metrics": each entry point names a
tuple of `AudioMetric`, and is loaded on demand. A plug-in that cannot be used is an error that
names it, not a metric less.
"""

import difflib
import functools
import hashlib
import importlib
import importlib.metadata
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from voxgate.harness.audio.condition import CONDITIONS, Condition
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import AudioMetric, Need
from voxgate.harness.records.measurement import Metric, MetricVersion

# Each metric that needs a reference, or another take, is read twice: against the reference cell of
# the same run, and ("golden_") against golden audio. Under a condition it is read against the
# reference cell only: a decaying reference shows without the condition.
GOLDEN = "golden_"
COMPARED = (Need.REFERENCE, Need.TAKE)
"""The needs of metrics that are read twice."""
GOLDEN_FAMILY = "against the golden audio"

SYNTHESIS_TIME: tuple[Metric, ...] = (
    Metric(name="latency_p50", unit="s", better="lower", version="1"),
    Metric(name="latency_p95", unit="s", better="lower", version="1"),
    Metric(name="latency_p99", unit="s", better="lower", version="1"),
    Metric(name="rtf", unit="s/s", better="lower", version="1"),
    Metric(name="rtf_median", unit="s/s", better="lower", version="1"),
    Metric(name="rtfx", unit="s/s", better="higher", version="1"),
)
"""The metrics of the synthesis time, as latencies and as rates."""
SPEED: tuple[Metric, ...] = (
    *SYNTHESIS_TIME,
    Metric(name="budget_share", unit="1", better="lower", version="1"),
    Metric(name="first_audio_p50", unit="s", better="lower", version="1"),
    Metric(name="longest_gap_p50", unit="s", better="lower", version="1"),
    Metric(name="underruns", unit="1/min", better="lower", version="1"),
    Metric(name="stall", unit="s", better="lower", version="1"),
    Metric(name="live_latency_p50", unit="s", better="lower", version="1"),
    Metric(name="live_latency_p95", unit="s", better="lower", version="1"),
    Metric(name="live_algorithmic", unit="s", better="lower", version="1"),
    Metric(name="live_load", unit="s/s", better="lower", version="1"),
    Metric(name="live_underruns", unit="1", better="lower", version="1"),
    Metric(name="cold_start", unit="s", better="lower", version="1"),
    Metric(name="peak_rss", unit="bytes", better="lower", version="1"),
    Metric(name="peak_cuda_bytes", unit="bytes", better="lower", version="1"),
    Metric(name="energy_per_audio_s", unit="J", better="lower", version="1"),
    Metric(name="in_process_drift", unit="1/100 calls", better="lower", version="1"),
)

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "signal_parity": "parity",
        "alignment": "parity",
        "spectral_parity": "parity",
        "pitch_parity": "parity",
        "take_parity": "between takes",
        "word_errors": "intelligibility",
        "predicted_mos": "naturalness",
        "speaker_similarity": "voice",
        "voice_quality": "voice quality",
        "spectral_balance": "voice quality",
        "prosody": "prosody",
        "duration": "faults",
        "repetition": "faults",
        "clicks": "faults",
        "dropouts": "faults",
        "levels": "faults",
        "prompt_leakage": "faults",
        "watermark": "watermark",
        "reels": "reels",
        "conversion": "conversion",
    }
)
"""Module of `voxgate.harness.metrics` -> the heading under which people look for its metrics."""
ALWAYS = ("duration",)
"""Metrics of audio that every suite needs: the weights of RTF."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """
    One metric of the registry, in one reading: plain, against golden audio, or under a
    condition.
    """

    metric: Metric
    family: str
    source: AudioMetric | None = None
    """The computation from audio; None for speeds, and for metrics of a transcript."""
    package: str = ""
    golden: bool = False
    condition: Condition | None = None
    base: str
    """The name without prefixes, whatever the reading."""

    @property
    def name(self) -> str:
        """The metric's name, prefixes included."""
        return self.metric.name


@functools.cache
def entries() -> Mapping[str, MetricSpec]:
    """
    Return the whole registry, by name and in order.

    Raises HarnessError for a broken plug-in, and for a name that is defined twice.
    """
    registry: dict[str, MetricSpec] = {}
    for entry in _entries():
        if entry.name in registry:
            owners = f"{registry[entry.name].family}; {entry.family}"
            raise HarnessError(
                f"two metrics are called {entry.name!r} ({owners}); rename one of them, or "
                "uninstall its plug-in"
            )
        registry[entry.name] = entry
    return MappingProxyType(registry)


def known_metrics() -> tuple[Metric, ...]:
    """Return every metric, in order."""
    return tuple(entry.metric for entry in entries().values())


def entry(name: str) -> MetricSpec:
    """
    Return the registry's entry of that name.

    Raises HarnessError that suggests the nearest names and says where all of them stand.
    """
    spec = entries().get(name)
    if spec is not None:
        return spec
    near = difflib.get_close_matches(name, entries(), n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    prefixes = ", ".join(condition.prefix for condition in CONDITIONS.values())
    raise HarnessError(
        f"unknown metric {name!r}; {hint}all stand in docs/reference/metrics.md, under a condition "
        f"with {prefixes} before it"
    )


def metric(name: str) -> Metric:
    """Return the metric of that name. Raises HarnessError as `entry` does."""
    return entry(name).metric


def family_of(name: str) -> str:
    """Return the heading under which people look for a metric."""
    spec = entries().get(name)
    return "other" if spec is None else spec.family


def base_name(name: str) -> str:
    """
    Return the name without prefixes, whatever the reading; an unknown name is returned as it
    is.

    >>> base_name("golden_snr"), base_name("phone_wer"), base_name("wer")
    ('snr', 'wer', 'wer')
    """
    spec = entries().get(name)
    return name if spec is None else spec.base


def is_synthesis_time(name: str) -> bool:
    """Return whether the metric measures synthesis time; a stage can then explain a change."""
    spec = entries().get(name)
    return spec is not None and spec.metric in SYNTHESIS_TIME


def needs_asr(name: str) -> bool:
    """Return whether the metric needs a speech recogniser."""
    spec = entries().get(name)
    return spec is not None and spec.source is None and spec.metric not in SPEED


def select_metrics(
    names: Collection[str] | None, conditions: Collection[str]
) -> tuple[Metric, ...]:
    """
    Return the metrics of a suite: all speeds, and the named ones of the others, or all of them.

    A name stands for the metric and for its readings against golden audio and under the
    conditions of the suite. Raises HarnessError for an unknown metric or condition.
    """
    check_selection(names, conditions)
    return tuple(
        entry.metric for entry in entries().values() if _is_selected(entry, names, conditions)
    )


def check_selection(names: Collection[str] | None, conditions: Collection[str]) -> None:
    """Raise HarnessError, listing the known ones, for a metric or condition that does not exist."""
    unknown = [condition for condition in conditions if condition not in CONDITIONS]
    if unknown:
        raise HarnessError(f"unknown condition {unknown[0]!r}; known are {', '.join(CONDITIONS)}")
    for name in names or ():
        condition = entry(name).condition
        if condition is not None and condition.name not in conditions:
            raise HarnessError(
                f"metric {name!r} is read under a condition; add conditions=[{condition.name!r}] "
                "to the suite"
            )


def full_version(name: str) -> str:
    """
    Return `version_of` as records hold it.

    >>> full_version("rtf")
    '1'
    """
    return str(version_of(name))


def version_of(name: str) -> MetricVersion:
    """
    Return the metric's version with those of the package that computes it and of its condition.
    """
    spec = entry(name)
    package = f"{spec.package} {installed(spec.package) or 'not installed'}" if spec.package else ""
    condition = (
        f"{spec.condition.name} {spec.condition.version}" if spec.condition is not None else ""
    )
    return MetricVersion(spec.metric.version).depending_on(package, condition)


def digest_of(metrics: Iterable[Metric]) -> str:
    """
    Return a digest of metrics by name and version.

    A run scored with other metrics has other values, or fewer.
    """
    lines = [f"{metric.name} {metric.version}\n" for metric in metrics]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def package_of(name: str) -> str:
    """Return the distribution that a metric needs; empty where there is none, or no such metric."""
    spec = entries().get(name)
    return "" if spec is None else spec.package


@functools.cache
def installed(package: str) -> str:
    """Return the installed version of a distribution; empty if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _is_selected(
    entry: MetricSpec, names: Collection[str] | None, conditions: Collection[str]
) -> bool:
    if entry.metric in SPEED or entry.name in ALWAYS:
        return True
    if entry.condition is not None and entry.condition.name not in conditions:
        return False
    return names is None or entry.name in names or entry.base in names


def _entries() -> Iterator[MetricSpec]:
    yield from (MetricSpec(metric=metric, family="speed", base=metric.name) for metric in SPEED)
    plain = [*_ours(), *_theirs()]
    yield from plain
    for spec in plain:
        if spec.source is not None and spec.source.need in COMPARED:
            yield replace(
                spec,
                metric=replace(spec.metric, name=GOLDEN + spec.name),
                family=GOLDEN_FAMILY,
                golden=True,
            )
    for condition in CONDITIONS.values():
        for spec in plain:
            conditioned = replace(spec.metric, name=condition.prefix + spec.name)
            yield replace(spec, metric=conditioned, family=condition.name, condition=condition)


def _ours() -> Iterator[MetricSpec]:
    for module, family in FAMILIES.items():
        for source in importlib.import_module(f"voxgate.harness.metrics.{module}").METRICS:
            yield _plain(source, family)


def _theirs() -> Iterator[MetricSpec]:
    for plugin, metrics in plugin_metrics().items():
        yield from (_plain(source, f"plug-in {plugin}") for source in metrics)


def _plain(source: AudioMetric | Metric, family: str) -> MetricSpec:
    if isinstance(source, Metric):
        from voxgate.harness.metrics.word_errors import normaliser

        return MetricSpec(metric=source, family=family, package=normaliser(), base=source.name)
    return MetricSpec(
        metric=source.metric,
        family=family,
        source=source,
        package=source.package,
        base=source.metric.name,
    )


GROUP = "voxgate.metrics"


def plugin_metrics() -> dict[str, tuple[AudioMetric, ...]]:
    """
    Return the metrics of plug-in packages, by the name of the entry point.

    A metric that names no package is assigned the plug-in's own, whose version then is part of
    the metric's. Raises HarnessError.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: _metrics(point) for point in points}


def _metrics(point: EntryPoint) -> tuple[AudioMetric, ...]:
    who = f"metric plug-in {point.name!r} ({point.value})"
    try:
        metrics = point.load()
    except Exception as error:  # plug-in code may raise anything
        raise HarnessError(
            f"{who} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"
        ) from error
    if not isinstance(metrics, tuple) or not all(
        isinstance(metric, AudioMetric) for metric in metrics
    ):
        raise HarnessError(
            f"{who} must be a tuple of AudioMetric, not {metrics!r:.80}; mend or uninstall it"
        )
    for metric in metrics:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", metric.metric.name):
            raise HarnessError(
                f"{who}: a metric's name is made of [a-z0-9_], not {metric.metric.name!r}; mend or "
                "uninstall it"
            )
    own = point.dist.name if point.dist is not None else ""
    return tuple(replace(metric, package=metric.package or own) for metric in metrics)
