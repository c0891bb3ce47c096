import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voxgate import Suite
from voxgate.harness.errors import HarnessError
from voxgate.harness.targets import registry
from voxgate.harness.targets.scripted import ScriptedTarget


def test_targets_are_found_by_name() -> None:
    assert isinstance(registry.make_target("scripted"), ScriptedTarget)
    assert {"engine", "scripted"} <= set(registry.known_targets())


def test_an_unknown_target_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        HarnessError, match="unknown target 'piper'; known are engine, flite, scripted"
    ):
        registry.make_target("piper")


def test_an_installed_package_can_offer_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "theirs"

        def load(self) -> type[ScriptedTarget]:
            return ScriptedTarget

    monkeypatch.setattr(
        registry, "entry_points", lambda group: [Point()] if group == "voxgate.targets" else []
    )
    assert isinstance(registry.make_target("theirs"), ScriptedTarget)
    assert "theirs" in registry.known_targets()


def test_an_unknown_option_is_answered_with_the_known_ones(
    make_suite: Callable[..., Suite],
) -> None:
    cells = make_suite(axes={"stepz": [8]}, reference={"stepz": 8}).expand().cells
    with pytest.raises(HarnessError, match="has no option stepz; known are latency_ms, jitter"):
        registry.check_cells(cells)


def test_options_of_requests_are_checked_too(make_suite: Callable[..., Suite]) -> None:
    registry.check_cells(make_suite(workload="smoke").expand().cells)


def test_a_target_may_be_any_class_that_can_be_imported() -> None:
    assert isinstance(
        registry.make_target("voxgate.harness.targets.scripted:ScriptedTarget"), ScriptedTarget
    )
    for name in ("nowhere.at_all:Target", "voxgate.harness.targets.scripted:Nothing"):
        with pytest.raises(
            HarnessError, match=r"cannot be imported: .*; install its package, or set PYTHONPATH"
        ):
            registry.make_target(name)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds a package, as the command `voxgate` finds it: not on the path."""
    package = tmp_path / "unheard_of"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "target.py").write_text(
        "from voxgate.harness.targets.scripted import ScriptedTarget\n"
        "class Mine(ScriptedTarget): ...\n"
    )
    (package / "broken.py").write_text("def (")
    (package / "raising.py").write_text("raise ValueError('no\\nGPU')")
    (tmp_path / "json.py").write_text("raise RuntimeError('taken for the library')")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "unheard_of"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_a_class_of_the_working_directory_needs_no_python_path(project: Path) -> None:
    """As under pytest, and in a comparison of revisions; behind all installed packages."""
    assert isinstance(registry.make_target("unheard_of.target:Mine"), ScriptedTarget)
    assert sys.path[-1] == str(project)


@pytest.mark.parametrize(
    ("module", "said"),
    [("broken", "SyntaxError: "), ("raising", "ValueError: no GPU; correct it")],
)
def test_a_target_whose_module_fails_is_one_line(project: Path, module: str, said: str) -> None:
    with pytest.raises(HarnessError) as found:
        registry.make_target(f"unheard_of.{module}:Mine")
    assert said in str(found.value) and "\n" not in str(found.value)


def test_the_package_that_a_target_measures_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "theirs"
        value = "their_engine.voxgate:Target"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()])
    targets = ("engine", "flite", "voice.target:Voice", "theirs")
    assert [registry.package_of(name) for name in targets] == [
        "voxgate.engine",
        None,
        "voice",
        "their_engine",
    ]
    with pytest.raises(HarnessError, match="unknown target 'piper'"):
        registry.package_of("piper")
