from collections.abc import Callable

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
