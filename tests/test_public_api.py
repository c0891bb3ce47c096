"""
The public API: what `from voxgate import ...` offers, and the old names that still work for one
release.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from voxgate.harness.compat import MOVED, RENAMED
from voxgate.harness.records.codec import from_json, to_json

import engine
import harness

API = {
    "AudioMetric",
    "HarnessError",
    "Metric",
    "MetricInput",
    "Missing",
    "Need",
    "OptionCheck",
    "Suite",
    "Target",
}
SHARED = {"voxgate.harness.suite": ("Suite", "load_suite")}


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
        "'voxgate.harness.suite.suite')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_warns_and_offers_the_same_objects(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)

    with pytest.warns(DeprecationWarning, match=f"{old} is now {MOVED[old]}"):
        module = import_module(old)

    for before, now in RENAMED.get(old, {}).items():
        assert getattr(module, before) is getattr(import_module(MOVED[old]), now)
    public = [name for name in vars(import_module(MOVED[old])) if not name.startswith("_")]
    assert all(getattr(module, name) is getattr(import_module(MOVED[old]), name) for name in public)


def test_suites_that_import_from_the_old_module_still_load():
    with pytest.warns(DeprecationWarning, match="voxgate.harness.suite.suite.Suite"):
        from voxgate.harness.suite import Suite

    assert Suite is harness.Suite


def test_the_old_keywords_and_attributes_of_an_option_check_warn_and_work():
    now = harness.OptionCheck(
        option="steps", requested=3, observed="3", in_effect=True, reason="counted"
    )
    with pytest.warns(DeprecationWarning, match=r"OptionCheck\.\w+ is now") as warned:
        before = harness.OptionCheck(
            option="steps", asked=3, observed="3", holds=True, why="counted"
        )
    assert before == now and len(warned) == 3
    assert {each.filename for each in warned} == {__file__}
    with pytest.warns(DeprecationWarning, match="OptionCheck.holds is now in_effect"):
        assert now.holds is True


def test_an_option_check_has_the_same_keys_in_files_as_ever():
    check = harness.OptionCheck(
        option="steps", requested=3, observed="3", in_effect=True, reason="counted"
    )
    data = {"option": "steps", "asked": 3, "observed": "3", "holds": True, "why": "counted"}
    assert to_json(check) == data and from_json(harness.OptionCheck, data) == check
