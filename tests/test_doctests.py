"""The examples in docstrings are true: every module that holds one is run."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(("voxgate", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for package in ("harness", "engine")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_are_true(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module))

    assert tried
    assert not failed


def test_pure_helpers_have_examples() -> None:
    assert {"voxgate.harness.statistics.summary", "voxgate.harness.analysis.speed"} <= set(MODULES)
