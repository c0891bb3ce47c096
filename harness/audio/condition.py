"""
Conditions under which the panel is read a second time: what is left of a voice at the other end of
a telephone line.

Every recording that a metric looks at passes through the condition, the reference too: what is
compared is heard alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.audio.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """
    A way to hear a recording; `prefix` begins the names of the metrics that are read under it.
    """

    name: str
    prefix: str
    version: str
    """Belongs to the version of every metric that is read under it."""
    hear: Callable[[Recording], Recording]


def _telephone_line(recording: Recording) -> Recording:
    from harness.audio import telephone

    return recording.once(telephone.line)


CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        each.name: each
        for each in (
            Condition(name="telephone", prefix="phone_", version="1", hear=_telephone_line),
        )
    }
)
