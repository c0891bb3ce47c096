"""
The record of one metric for one cell, and how it is written down.

A value is a number or a reason why there is none; never NaN, never infinity, never an absence.
Knows JSON; does not know how a number is computed, nor what would be a good one.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any, Literal

from harness.errors import HarnessError
from harness.records.codec import NON_EMPTY, Key, OmitDefault, Range, from_json

Better = Literal["lower", "higher", "neither"]

# Infinite ratios (identical audio) cannot be written in JSON and would swallow every mean, so
# ratios are capped here and shown as "exact". 16-bit rounding alone costs about 90 dB, so nothing
# that went through a wav file gets here by chance.
SNR_CEILING_DB = 120.0


class MissingKind(StrEnum):
    """
    Why there is no value, where a decision depends on it; the reason is for people, and nothing
    reads it.
    """

    DURATIONS_DIFFER = "durations differ"
    """
    Two performances of unlike length cannot be laid over each other: the voice says it otherwise.
    """
    TAKES_DIFFER = "takes differ"
    """
    The engine speaks otherwise each time, and nobody asked for a seed: no take can be held against
    another.
    """


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no value, and why."""

    reason: Annotated[str, Key("missing")]
    kind: Annotated[MissingKind | None, OmitDefault()] = None


NO_GOLDEN = Missing("no golden audio accepted yet")
"""Why a metric against the golden audio has no value before the first `accept`."""


Value = float | Missing

NOT_INSTALLED = "is not installed"
"""
Stands in the reason of a value that an optional package would give: the machine lacks something,
the audio does not.
"""


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
    What a number means: its name, base unit, the direction that is better, and the version of its
    computation.
    """

    name: str
    unit: str
    better: Better
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceValue:
    """
    One metric of one utterance (`id` as the workload names it); `repeat` counts the fresh processes
    of a cell.
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


def lacks_package(value: Value) -> bool:
    """Whether there is no value because a package is not installed."""
    return isinstance(value, Missing) and NOT_INSTALLED in value.reason


def is_exact(unit: str, value: Value) -> bool:
    """
    Whether a ratio in dB stands at the ceiling: the two signals are identical, present it as
    "exact".
    """
    return unit == "dB" and isinstance(value, float) and value >= SNR_CEILING_DB


def kind_of(values: Iterable[Missing]) -> MissingKind | None:
    """Return the kind that all of them have; None where one has none or they differ."""
    kinds = {each.kind for each in values}
    return kinds.pop() if len(kinds) == 1 else None


def value_to_json(value: Value) -> float | dict[str, str]:
    """
    A finite number as itself, Missing as {"missing": reason, "kind": ...}. Raises HarnessError for
    NaN and infinity.
    """
    if isinstance(value, Missing):
        return {
            "missing": value.reason,
            **({} if value.kind is None else {"kind": value.kind.value}),
        }
    return _finite(value, "a value")


def value_from_json(data: object) -> Value:
    """The inverse of `value_to_json`. Raises HarnessError for anything else."""
    if (
        isinstance(data, Mapping)
        and {"missing"} <= set(data) <= {"missing", "kind"}
        and isinstance(data["missing"], str)
    ):
        return Missing(data["missing"], _kind(data["kind"]) if "kind" in data else None)
    return _finite(data, "a value")


def measurement_to_dict(measurement: Measurement) -> dict[str, Any]:
    """
    Plain dicts, lists, strings and finite numbers, ready for JSON. Raises HarnessError for NaN and
    infinity.
    """
    return {
        "metric": measurement.metric,
        "unit": measurement.unit,
        "better": measurement.better,
        "version": measurement.version,
        "values": [
            {"id": each.id, "value": value_to_json(each.value), "repeat": each.repeat}
            for each in measurement.values
        ],
        "summary": value_to_json(measurement.summary),
        "low": None if measurement.low is None else _finite(measurement.low, "low"),
        "high": None if measurement.high is None else _finite(measurement.high, "high"),
    }


def measurement_from_dict(data: object) -> Measurement:
    """
    Read the result of `measurement_to_dict`.

    Raises HarnessError for missing or unknown keys, wrong types, and an interval that is none.
    """
    found = from_json(Measurement, data, "a measurement")
    wanted = {
        field
        for field in Measurement.__dataclass_fields__
        if isinstance(data, Mapping) and field not in data
    }
    if wanted:
        raise HarnessError(f"a measurement lacks {', '.join(sorted(wanted))}; measure again")
    if found.low is not None and found.high is not None and found.low > found.high:
        raise HarnessError(
            f"a measurement: {found.metric}: low {found.low:g} lies above high {found.high:g}"
        )
    return found


def _kind(name: object) -> MissingKind:
    known = [kind.value for kind in MissingKind]
    if name not in known:
        raise HarnessError(
            f"a missing value has kind {name!r}; known are {', '.join(known)}; measure again"
        )
    return MissingKind(str(name))


def _finite(value: object, what: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) <= sys.float_info.max
    ):
        raise HarnessError(
            f"{what} must be a finite number or a reason, not {value!r}; a failed measurement is "
            "Missing(reason)"
        )
    return float(value)
