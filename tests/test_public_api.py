"""
The public API: what `from voxgate import ...` offers, and the old names that still work for one
release.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import voxgate
import voxgate.engine
import voxgate.harness
from voxgate.harness.compat import MOVED, RENAMED, new_name
from voxgate.harness.records.codec import from_json, to_json

API = {
    "AudioMetric",
    "HarnessError",
    "LiveInput",
    "Metric",
    "MetricInput",
    "Missing",
    "Need",
    "OptionCheck",
    "Suite",
    "Target",
}


def test_the_public_names_are_these_and_no_others():
    assert set(voxgate.__all__) == API
    for name in API:
        assert getattr(voxgate, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = voxgate.nothing


def test_both_packages_carry_types():
    for package in (voxgate, voxgate.harness, voxgate.engine):
        assert (Path(package.__file__).parent / "py.typed").is_file()


def test_importing_the_package_is_quick():
    code = (
        "import sys, voxgate; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', "
        "'voxgate.harness.suite.suite')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


OLD = """
import sys, warnings
from importlib import import_module
import voxgate

warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as heard:
    old = import_module(sys.argv[1])
assert any(
    f"{sys.argv[1]} is now {sys.argv[2]}" in str(each.message)
    and each.category is DeprecationWarning for each in heard
), [str(each.message) for each in heard]
now = import_module(sys.argv[2])
for pair in sys.argv[3:]:
    before, name = pair.split("=")
    assert getattr(old, before) is getattr(now, name)
for name in getattr(now, "__all__", vars(now)):
    assert name.startswith("_") or getattr(old, name) is getattr(now, name)
"""


def elsewhere(code: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run code in a folder that is not this checkout, whose folders have the old names."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("old", [*MOVED, "harness.errors"])
def test_an_old_name_warns_and_offers_the_same_objects(old, tmp_path):
    renamed = [f"{before}={now}" for before, now in RENAMED.get(old, {}).items()]

    done = elsewhere(OLD, tmp_path, old, str(new_name(old)), *renamed)

    assert done.returncode == 0, done.stderr


def test_a_users_own_packages_of_these_names_are_left_alone(tmp_path):
    for name in ("harness", "engine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("mark = 'theirs'\n")
    code = (
        "import voxgate, harness, engine; from voxgate import Suite\n"
        "import voxgate.engine.config, voxgate.harness.pytest_plugin\n"
        "assert harness.mark == engine.mark == 'theirs'\n"
        "try:\n    import harness.errors\nexcept ModuleNotFoundError: pass\n"
        "else: raise SystemExit('voxgate filled their package')\n"
    )

    done = elsewhere(code, tmp_path)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_old_keywords_and_attributes_of_an_option_check_warn_and_work():
    now = voxgate.OptionCheck(
        option="steps", requested=3, observed="3", in_effect=True, reason="counted"
    )
    with pytest.warns(DeprecationWarning, match=r"OptionCheck\.\w+ is now") as warned:
        before = voxgate.OptionCheck(
            option="steps", asked=3, observed="3", holds=True, why="counted"
        )
    assert before == now and len(warned) == 3
    assert {each.filename for each in warned} == {__file__}
    with pytest.warns(DeprecationWarning, match="OptionCheck.holds is now in_effect"):
        assert now.holds is True


def test_an_option_check_has_the_same_keys_in_files_as_ever():
    check = voxgate.OptionCheck(
        option="steps", requested=3, observed="3", in_effect=True, reason="counted"
    )
    data = {"option": "steps", "asked": 3, "observed": "3", "holds": True, "why": "counted"}
    assert to_json(check) == data and from_json(voxgate.OptionCheck, data) == check
