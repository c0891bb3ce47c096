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
    narrow_band: bool = False
    """Whether nothing above 4 kHz passes, so that metrics with a mode for such audio use it."""


def _telephone_line(recording: Recording) -> Recording:
    from voxgate.harness.audio import telephone

    return recording.once(telephone.line)


CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        condition.name: condition
        for condition in (
            Condition(
                name="telephone",
                prefix="phone_",
                version="2",  # 2: at one level; PESQ in narrow band
                hear=_telephone_line,
                narrow_band=True,
            ),
        )
    }
)
