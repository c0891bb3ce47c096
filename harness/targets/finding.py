"""What one check of an option found, and the options that it was held against."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.records.cell import Option

Options = Mapping[str, Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    observed: str
    holds: bool | None
    """None where nothing of it could be seen."""
    why: str
