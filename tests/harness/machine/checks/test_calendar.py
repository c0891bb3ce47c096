"""
The clock of the day: one that was never set, or is ahead by decades, is unfit; one that nobody
holds right is not known.
"""

from pathlib import Path

import pytest

from voxgate.harness.machine.checks.calendar import SystemClockCheck
from voxgate.harness.machine.checks.check import CheckState, SystemRoot
from voxgate.harness.machine.clock import is_synchronized


def answer(tmp_path: Path, day: str, synchronized: bool | None) -> CheckState:
    facts = SystemClockCheck().read(
        SystemRoot(
            root=tmp_path, now=lambda: f"{day}T02:00:00+00:00", synchronized=lambda: synchronized
        )
    )
    return SystemClockCheck().expect(facts, facts).state


@pytest.mark.parametrize(
    "day, synchronized, state",
    [
        ("2026-11-20", True, CheckState.FIT),
        ("2026-11-20", False, CheckState.UNKNOWN),
        ("2026-11-20", None, CheckState.UNKNOWN),
        ("1970-01-01", True, CheckState.UNFIT),
        ("1980-01-06", None, CheckState.UNFIT),
        ("2098-01-01", False, CheckState.UNFIT),
    ],
)
def test_a_date_is_judged(
    tmp_path: Path, day: str, synchronized: bool | None, state: CheckState
) -> None:
    assert answer(tmp_path, day, synchronized) is state


def test_a_machine_without_a_clock_is_not_known(tmp_path: Path) -> None:
    assert SystemClockCheck().read(SystemRoot(root=tmp_path)) == {}
    assert SystemClockCheck().expect({}, {}).state is CheckState.UNKNOWN


def test_the_kernel_is_asked_and_nothing_is_set() -> None:
    assert is_synchronized() in (True, False, None)
