"""
Listening conditions under which metrics are read a second time, such as a telephone line.

Every recording that a metric reads passes through the condition, the reference too: both sides of a
comparison are treated alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from voxgate.harness.audio.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """
    A transformation of recordings; `prefix` begins the names of the metrics that are read under
    it.
    """

    name: str
    prefix: str
    version: str
    """Part of the version of every metric that is read under the condition."""
    hear: Callable[[Recording], Recording]


def _telephone_line(recording: Recording) -> Recording:
    from voxgate.harness.audio import telephone

    return recording.once(telephone.line)


CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        condition.name: condition
        for condition in (
            Condition(name="telephone", prefix="phone_", version="1", hear=_telephone_line),
        )
    }
)
