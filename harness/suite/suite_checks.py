"""
The checks of a suite as it stands: shapes, axes, values and numbers that cannot be meant.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, get_args

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import NAME, Option
from voxgate.harness.records.command_line import CommandLine, command_line
from voxgate.harness.records.own_model import model_entries
from voxgate.harness.records.run import MOST_ROUNDS, MOST_TAKES

if TYPE_CHECKING:
    from voxgate.harness.suite.suite import Suite

ENGINE, COMMAND = "engine", "command"
"""The target that is this package's own engine, and the target that is a program."""
TEXTS = tuple("pipeline workload target protocol judge name because question".split())
"""Fields that hold a text."""
TAKES = 5
"""Of each text, where a suite names no number: with fewer, a spread is hardly known."""


def check_suite(suite: "Suite") -> None:
    """Raise HarnessError for the first thing in a suite that cannot be meant."""
    _check_shapes(suite)
    command_of(suite)
    _check_axes(suite)
    _check_option_values(suite)
    model_entries(suite.models)
    _check_numbers(suite)
    _check_takes(suite)
    for what, names in (("metrics", suite.metrics), ("conditions", suite.conditions)):
        if names is not None and not _is_list(names, str):
            raise HarnessError(f"{what} must be a list of names, not {names!r}")


def _check_numbers(suite: "Suite") -> None:
    for what, number in (("repeats", suite.repeats), ("iterations", suite.iterations)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise HarnessError(f"{what} must be a whole number of at least 1, not {number!r}")
    if suite.repeats > MOST_ROUNDS:
        raise HarnessError(f"repeats must be at most {MOST_ROUNDS}, not {suite.repeats}")
    for what, time_s in (("min_time_s", suite.min_time_s), ("budget_s", suite.budget_s)):
        if not isinstance(time_s, int | float) or not 0.0 <= time_s < math.inf:
            raise HarnessError(f"{what} must be seconds, 0 or more, not {time_s!r}")


def _check_takes(suite: "Suite") -> None:
    if suite.sampled is not None and not isinstance(suite.sampled, bool):
        raise HarnessError(
            f"sampled must be True, False or None (as the target says), not {suite.sampled!r}"
        )
    takes = suite.takes
    if takes is None:
        return
    if not isinstance(takes, int) or isinstance(takes, bool) or not 2 <= takes <= MOST_TAKES:
        raise HarnessError(
            f"takes must be a whole number from 2 to {MOST_TAKES}, not {takes!r}: a single take "
            "has no spread; sampled=False judges an engine by one"
        )
    if suite.sampled is False:
        raise HarnessError(
            f"takes={takes} belongs to sampled=True, and this suite has sampled=False; remove one"
        )


def exclusions(suite: "Suite") -> list[tuple[dict[str, Option], str]]:
    """Return the entries of `without` and their reasons. Raises HarnessError for one without."""
    entries = [suite.without] if isinstance(suite.without, Mapping) else list(suite.without)
    rules = []
    for entry in entries:
        match = {name: value for name, value in entry.items() if name != "because"}
        reason = str(entry.get("because", suite.because))
        if not match or not reason.strip():
            raise HarnessError(
                f"without={dict(entry)!r} needs axis values and a reason; add because='...'"
            )
        rules.append((match, reason))
    if suite.because and not rules:
        raise HarnessError(
            "because= gives a reason, but without= leaves nothing out; remove one or add the other"
        )
    return rules


def _check_shapes(suite: "Suite") -> None:
    """Raise HarnessError for a field that is not even of its kind, whatever it holds."""
    for what in TEXTS:
        if not isinstance(getattr(suite, what), str):
            kind = "text" if what in ("because", "question") else "a name"
            raise HarnessError(f"{what} must be {kind}, not {getattr(suite, what)!r}")
    for what in ("axes", "fixed", "reference"):
        if not _is_table(getattr(suite, what)) and (what, suite.reference) != ("reference", None):
            raise HarnessError(
                f"{what} must be a dictionary of options by name, not {getattr(suite, what)!r}"
            )
    if not isinstance(suite.environment, str) and not (
        _is_list(suite.environment, str) and all(suite.environment)
    ):
        raise HarnessError(
            "environment must be a folder, a name, or a list of words that starts Python, not "
            f"{suite.environment!r}"
        )
    without = [suite.without] if isinstance(suite.without, Mapping) else suite.without
    for what, tables in (("cells", suite.cells), ("without", without)):
        if not _is_list(tables, Mapping) or not all(map(_is_table, tables)):
            raise HarnessError(
                f"{what} must be a list of dictionaries of options by name, not {tables!r}"
            )


def command_of(suite: "Suite") -> CommandLine | None:
    """Return the command line of a suite. Raises HarnessError for one that cannot be meant."""
    if suite.target != COMMAND and (suite.command or suite.arguments or suite.protocol != "once"):
        raise HarnessError(
            f"command=, arguments= and protocol= belong to target={COMMAND!r}, not to "
            f"target={suite.target!r}"
        )
    if suite.target == COMMAND:
        return command_line(suite.command, suite.arguments, suite.protocol)
    if not suite.pipeline and suite.target == ENGINE:
        raise HarnessError("a suite of target 'engine' needs pipeline=, such as 'flow'")
    return None


def _is_list(value: object, kind: type) -> bool:
    return (
        isinstance(value, Collection)
        and not isinstance(value, str)
        and all(isinstance(element, kind) for element in value)
    )


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _check_axes(suite: "Suite") -> None:
    if not suite.axes and not suite.cells:
        raise HarnessError(
            "a suite needs axes={...} or cells=[...]; cells=[{}] is the engine as it comes"
        )
    for name, values in suite.axes.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise HarnessError(
                f"axis {name!r} must be a list of one or more values, not {values!r}"
            )
    both = sorted(set(suite.fixed) & _varied(suite))
    if both:
        raise HarnessError(f"these options are both fixed and varied: {', '.join(both)}; keep one")
    for match, _ in exclusions(suite):
        unknown = sorted(set(match) - set(suite.axes))
        if unknown:
            raise HarnessError(
                f"without= names {', '.join(unknown)}, which is no axis; the axes are "
                f"{', '.join(suite.axes)}"
            )
    unknown = sorted(set(suite.reference or {}) - _varied(suite))
    if unknown:
        raise HarnessError(
            f"reference= names {', '.join(unknown)}, which is no axis; the axes are "
            f"{', '.join(sorted(_varied(suite)))}"
        )


def _check_option_values(suite: "Suite") -> None:
    values = [(name, value) for name, choices in suite.axes.items() for value in choices]
    for mapping in (*suite.cells, suite.fixed, suite.reference or {}):
        values.extend(mapping.items())
    for name, value in values:
        if not isinstance(name, str) or not isinstance(value, get_args(Option)):
            raise HarnessError(
                f"option {name!r} has the value {value!r}; a value is text, a number, True or False"
            )
        if (fault := NAME.fault(name)) is not None:
            raise HarnessError(f"the option {name!r} {fault}; it becomes part of a file's name")


def _varied(suite: "Suite") -> set[str]:
    return {*suite.axes, *itertools.chain.from_iterable(suite.cells)}
