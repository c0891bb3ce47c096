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

Metrics by networks of the user's own (`own_models.py`) are found by name, and not listed.
"""

import difflib
import functools
import hashlib
import importlib
import importlib.metadata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from voxgate.harness.audio.condition import CONDITIONS, Condition
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import (
    COMPARED,
    GOLDEN_FAMILY,
    AudioMetric,
    Need,
)
from voxgate.harness.metrics.metric import (
    GOLDEN as GOLDEN,
)
from voxgate.harness.metrics.metric import (
    MetricSpec as MetricSpec,
)
from voxgate.harness.metrics.plugins import plugin_metrics
from voxgate.harness.records.cell import LENGTHS
from voxgate.harness.records.measurement import Metric, MetricVersion
from voxgate.harness.records.own_model import OwnModel

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
    *(
        Metric(name=f"latency_{length}_p50", unit="s", better="lower", version="1")
        for length in LENGTHS
    ),
    Metric(name="budget_share", unit="1", better="lower", version="1"),
    Metric(name="first_audio_p50", unit="s", better="lower", version="1"),
    Metric(name="longest_gap_p50", unit="s", better="lower", version="1"),
    Metric(name="text_per_100_characters", unit="s", better="lower", version="1"),
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
        "packaged_mos": "naturalness",
        "speaker_similarity": "voice",
        "voice_quality": "voice quality",
        "spectral_balance": "voice quality",
        "prosody": "prosody",
        "intonation": "prosody",
        "accent": "accent",
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


class Registry(Mapping[str, MetricSpec]):
    """The listed metrics by name and in order; those by the user's own networks by name alone."""

    def __init__(self, listed: Mapping[str, MetricSpec]) -> None:
        self.listed = MappingProxyType(listed)

    def __getitem__(self, name: str) -> MetricSpec:
        spec = self.listed.get(name) or _by_own_model(name)
        if spec is None:
            raise KeyError(name)
        return spec

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)


@functools.cache
def entries() -> Registry:
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
    return Registry(registry)


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


def needs_parity(name: str) -> bool:
    """Return whether the metric needs another recording of the very same performance."""
    spec = entries().get(name)
    return spec is not None and spec.source is not None and spec.source.need is Need.REFERENCE


def select_metrics(
    names: Collection[str] | None,
    conditions: Collection[str],
    models: Mapping[str, OwnModel] | None = None,
) -> tuple[Metric, ...]:
    """
    Return the metrics of a suite: all speeds, the named ones of the others, or all of them, and
    those by networks of the user's own.

    A name stands for the metric and for its readings against golden audio and under the
    conditions of the suite. Raises HarnessError for an unknown metric or condition.
    """
    check_selection(names, conditions, models)
    chosen = [spec for spec in entries().values() if _is_selected(spec, names, conditions)]
    return tuple(spec.metric for spec in (*chosen, *_of_models(models, conditions)))


def check_selection(
    names: Collection[str] | None,
    conditions: Collection[str],
    models: Mapping[str, OwnModel] | None = None,
) -> None:
    """Raise HarnessError, listing the known ones, for a metric or condition that does not exist."""
    own = [spec.name for spec in _of_models(models, conditions)]
    taken = [name for name in own if name in entries().listed]
    if taken:
        raise HarnessError(f"models: there is a metric {taken[0]!r} already; choose another name")
    absent = [name for name in names or () if entry(name).own_model and name not in own]
    if absent:
        raise HarnessError(
            f"metric {absent[0]!r} is computed by a network of your own; name its file in the "
            f"suite, models={{{entry(absent[0]).own_model!r}: ...}}"
        )
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


def full_version(name: str, models: Mapping[str, OwnModel] | None = None) -> str:
    """
    Return `version_of` as records hold it.

    >>> full_version("rtf")
    '1'
    """
    return str(version_of(name, models))


def version_of(name: str, models: Mapping[str, OwnModel] | None = None) -> MetricVersion:
    """
    Return the metric's version with those of the package that computes it, of its condition, and
    of the network of `models`.
    """
    spec = entry(name)
    package = f"{spec.package} {installed(spec.package) or 'not installed'}" if spec.package else ""
    condition = (
        f"{spec.condition.name} {spec.condition.version}" if spec.condition is not None else ""
    )
    own = (models or {}).get(spec.own_model)
    network = "" if own is None else own.dependency
    return MetricVersion(spec.metric.version).depending_on(package, condition, network)


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


def own_model(name: str) -> str:
    """Return the name of the user's own network that computes a metric; empty for all others."""
    spec = entries().get(name)
    return "" if spec is None else spec.own_model


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
            yield _under(condition, spec)


def _under(condition: Condition, spec: MetricSpec) -> MetricSpec:
    conditioned = replace(spec.metric, name=condition.prefix + spec.name)
    source = spec.source
    if source is not None and source.narrow_band is not None and condition.narrow_band:
        source = replace(source, score=source.narrow_band)
    return replace(
        spec, metric=conditioned, family=condition.name, condition=condition, source=source
    )


def _by_own_model(name: str) -> MetricSpec | None:
    from voxgate.harness.metrics.own_models import spec_by_own_model

    return spec_by_own_model(name)


def _of_models(
    models: Mapping[str, OwnModel] | None, conditions: Collection[str]
) -> list[MetricSpec]:
    """Return the metrics that these networks compute, in every reading of a suite."""
    if not models:
        return []
    from voxgate.harness.metrics.own_models import specs_of

    return specs_of(models, conditions)


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
