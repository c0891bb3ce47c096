"""Suites for the scripted target, two short requests each, and changes to the scripted engine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.repository import controlled, repository
from voxgate import Suite
from voxgate.harness.history.address import VARIABLE
from voxgate.harness.targets.scripted import SCRIPT

__all__ = ["controlled", "repository"]

WORKLOAD = """
[[request]]
id = "r1"
text = "One."

[[request]]
id = "r2"
text = "Two."
"""


@pytest.fixture(autouse=True)
def own_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into a developer's history."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def make_suite(tmp_path: Path) -> Callable[..., Suite]:
    """Gives a suite of two cells, steps=8 and steps=4, unless told otherwise."""
    path = tmp_path / "two.toml"
    path.write_text(WORKLOAD)

    def make(**changes: Any) -> Suite:
        asked: dict[str, Any] = {
            "axes": {"steps": [8, 4]},
            "reference": {"steps": 8},
            "fixed": {"audio_s": 0.1},
            "name": "test",
        }
        return Suite(
            **{
                "target": "scripted",
                "pipeline": "any",
                "workload": str(path),
                "repeats": 1,
                **asked,
                **changes,
            }
        )

    return make


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Changes the scripted engine: {slug or "*": changes}."""

    def write(changes: dict[str, Any]) -> None:
        path = tmp_path / "script.json"
        path.write_text(json.dumps(changes))
        monkeypatch.setenv(SCRIPT, str(path))

    return write
