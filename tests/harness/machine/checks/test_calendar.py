"""
The clock of the day: one that was never set, or is ahead by decades, is unfit; one that nobody
holds right is not known.
"""

from pathlib import Path

import pytest

from harness.machine.checks.calendar import Clock
from harness.machine.checks.check import State, Tree
from harness.machine.clock import is_synchronized


def answer(tmp_path: Path, day: str, synchronized: bool | None) -> State:
    facts = Clock().read(
        Tree(root=tmp_path, now=lambda: f"{day}T02:00:00+00:00", synchronized=lambda: synchronized)
    )
    return Clock().expect(facts, facts).state


@pytest.mark.parametrize(
    "day, synchronized, state",
    [
        ("2026-11-20", True, State.FIT),
        ("2026-11-20", False, State.UNKNOWN),
        ("2026-11-20", None, State.UNKNOWN),
        ("1970-01-01", True, State.UNFIT),
        ("1980-01-06", None, State.UNFIT),
        ("2098-01-01", False, State.UNFIT),
    ],
)
def test_a_date_is_judged(
    tmp_path: Path, day: str, synchronized: bool | None, state: State
) -> None:
    assert answer(tmp_path, day, synchronized) is state


def test_a_machine_without_a_clock_is_not_known(tmp_path: Path) -> None:
    assert Clock().read(Tree(root=tmp_path)) == {}
    assert Clock().expect({}, {}).state is State.UNKNOWN


def test_the_kernel_is_asked_and_nothing_is_set() -> None:
    assert is_synchronized() in (True, False, None)
