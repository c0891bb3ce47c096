"""
Optimisations: each file is one pass over an untouched model, `apply(...) -> Applied`, and each says
what it did and why.

What a pass did to a model: the record that `python -m engine say` prints and the harness holds
against what it sees.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """`option` was asked for as `asked`; `what` was done, because of `why`."""

    option: str
    asked: str
    what: str
    why: str
