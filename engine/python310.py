"""
Newer parts of the standard library, for Python 3.10. Delete this module when 3.11 is the oldest.
"""

import sys

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):
        """An enumeration whose members are texts, and print and format as such."""

        def __str__(self) -> str:
            """Return the text."""
            return str.__str__(self)

        def __format__(self, format_spec: str) -> str:
            """Format the text."""
            return str.__format__(self, format_spec)


__all__ = ["StrEnum"]
