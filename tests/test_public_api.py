"""
The public API: what `from harness import ...` offers, and the old names that still work for one
release.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import engine
import harness
from harness.compat import MOVED

API = {
    "AudioMetric",
    "Effect",
    "HarnessError",
    "Metric",
    "Missing",
    "Need",
    "Subject",
    "Suite",
    "Target",
}
SHARED = {"harness.suite": ("Suite", "load_suite")}


def test_the_public_names_are_these_and_no_others():
    assert set(harness.__all__) == API
    for name in API:
        assert getattr(harness, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = harness.nothing


def test_both_packages_carry_types():
    for package in (harness, engine):
        assert (Path(package.__file__).parent / "py.typed").is_file()


def test_importing_the_package_is_quick():
    code = (
        "import sys, harness; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', "
        "'harness.suite.suite')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_warns_and_is_the_same_module(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)

    with pytest.warns(DeprecationWarning, match=f"{old} is now {MOVED[old]}"):
        assert import_module(old) is import_module(MOVED[old])


def test_suites_that_import_from_the_old_module_still_load():
    with pytest.warns(DeprecationWarning, match="harness.suite.suite.Suite"):
        from harness.suite import Suite

    assert Suite is harness.Suite
