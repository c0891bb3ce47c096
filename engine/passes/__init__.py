"""
Optimisation passes: each module is one pass over a model, `apply(...) -> Applied`.

`Applied` records the effect of a pass; `python -m voxgate.engine say` prints it, and the harness
compares it with its own observations.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """
    The effect of one pass: the `option`, its `requested` value, the `effect`, and the `reason`.
    """

    option: str
    requested: str
    effect: str
    reason: str
