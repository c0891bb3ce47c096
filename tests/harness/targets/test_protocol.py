"""The base class of targets: its defaults, and plug-ins that do not subclass it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType

import numpy as np
import pytest

import voxgate
from voxgate import HarnessError
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.run import OptionCheck
from voxgate.harness.targets import registry
from voxgate.harness.targets.adapter import AdaptedTarget, adapted
from voxgate.harness.targets.protocol import ForwardingTarget, IsolatedStage, Options, Target

REQUEST = Request(id="r1", text="One.")
CELL = Cell(
    suite="s",
    target="t",
    pipeline="p",
    workload=Workload(name="w", requests=(REQUEST,)),
    axes={},
)
Watch = Callable[[str], AbstractContextManager[None]]


def no_watch(stage: str) -> AbstractContextManager[None]:
    return nullcontext()


class Plain(Target):
    """What a target must have, and no more."""

    sample_rate_hz = 8_000

    def load(self, cell: Cell, defaults: Options) -> None:
        self.loaded = (cell, defaults)

    def effective(self) -> Options:
        return {"steps": 3}

    def synthesize(self, request: Request, watch: Watch) -> Iterator[np.ndarray]:
        self.spoken = request.id
        yield np.zeros(4, np.float32)


class Old:
    """A plug-in as the documentation showed it before `Target` was a base class."""

    sample_rate_hz = 8_000
    imports = ("json",)
    elsewhere = True
    joins_s = [0.5]  # noqa: RUF012  (as plug-ins had it)

    def __init__(self) -> None:
        self.clock = VirtualClock()

    def load(self, cell: Cell, defaults: Mapping[str, object]) -> None:
        self.sample_rate_hz = 24_000

    def effective(self) -> dict[str, int]:
        return {"steps": 3}

    def synthesize(self, request: Request, watch: Watch) -> Iterator[np.ndarray]:
        yield np.zeros(4, np.float32)

    def observe(self, request: Request) -> list[OptionCheck]:
        return [
            OptionCheck(option="steps", requested=3, observed="3", in_effect=True, reason="counted")
        ]

    def alone(self, request: Request, watch: Watch) -> dict[str, IsolatedStage]:
        return {"vocoder": IsolatedStage(run=lambda: None)}

    def settled(self) -> bool:
        return False


@pytest.fixture(name="module")
def _module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of somebody else's with the old plug-in."""
    module = ModuleType("somebodys")
    monkeypatch.setitem(sys.modules, "somebodys", module)
    monkeypatch.setattr(Old, "__module__", "somebodys")
    monkeypatch.setattr(module, "Old", Old, raising=False)
    return module


def test_the_base_class_is_public() -> None:
    assert voxgate.Target is Target


def test_every_optional_ability_has_a_documented_default() -> None:
    target = Plain()

    assert target.imports_for(CELL) == ()
    assert (target.clock, target.elsewhere, target.chunk_boundaries_s) == (None, False, None)
    assert target.observe(REQUEST) == () and target.settled()
    assert target.isolated_stages(REQUEST, no_watch) == {} and target.spoken == "r1"
    Plain.check_options("any", {"whatever": 1})
    optional = ("check_options", "imports_for", "observe", "isolated_stages", "settled")
    assert all("Default:" in str(getattr(Target, name).__doc__) for name in optional)


def test_a_target_that_lacks_a_method_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half(Target):
        sample_rate_hz = 8_000

        def effective(self) -> Options:
            return {}

    monkeypatch.setattr(registry, "_factory", lambda name: Half)
    for ask in (
        lambda: registry.make_target("half"),
        lambda: registry.check_options("half", "", {}),
    ):
        with pytest.raises(HarnessError, match="target 'half' lacks load, synthesize;"):
            ask()


def test_a_forwarding_target_passes_everything_on() -> None:
    class Rich(Plain):
        imports = ("json",)
        elsewhere = True
        chunk_boundaries_s = (0.25,)

        def observe(self, request: Request) -> tuple[OptionCheck, ...]:
            return (
                OptionCheck(option="a", requested=1, observed="1", in_effect=True, reason="seen"),
            )

        def isolated_stages(self, request: Request, watch: Watch) -> Mapping[str, IsolatedStage]:
            return {"a": IsolatedStage(run=lambda: None)}

        def settled(self) -> bool:
            return False

    inner = Rich()
    inner.clock = VirtualClock()
    target = ForwardingTarget(inner)
    target.load(CELL, {"threads": 1})
    inner.sample_rate_hz = 48_000

    assert inner.loaded == (CELL, {"threads": 1})
    assert target.sample_rate_hz == 48_000, "a server tells its rate with the first chunk"
    assert (target.clock, target.elsewhere) == (inner.clock, True)
    assert target.chunk_boundaries_s == (0.25,) and target.imports_for(CELL) == ("json",)
    assert target.effective() == {"steps": 3} and not target.settled()
    assert len(list(target.synthesize(REQUEST, no_watch))) == 1
    assert len(target.observe(REQUEST)) == 1
    assert set(target.isolated_stages(REQUEST, no_watch)) == {"a"}


def test_a_plug_in_without_the_base_class_works_and_is_warned(module: ModuleType) -> None:
    with pytest.warns(DeprecationWarning, match=r"Old does not subclass voxgate\.Target"):
        target = registry.make_target("somebodys:Old")
    target.load(CELL, {})

    assert isinstance(target, AdaptedTarget) and isinstance(target.clock, VirtualClock)
    assert target.sample_rate_hz == 24_000 and target.imports_for(CELL) == ("json",)
    assert target.elsewhere and target.chunk_boundaries_s == (0.5,)
    assert target.effective() == {"steps": 3} and not target.settled()
    assert len(list(target.synthesize(REQUEST, no_watch))) == 1
    assert target.observe(REQUEST)[0].option == "steps"
    assert set(target.isolated_stages(REQUEST, no_watch)) == {"vocoder"}


def test_what_a_plug_in_lacks_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("imports", "elsewhere", "joins_s", "alone"):
        monkeypatch.delattr(Old, name)
    inner = Old()
    del inner.clock
    with pytest.warns(DeprecationWarning):
        target = adapted(inner)

    assert (target.clock, target.elsewhere, target.chunk_boundaries_s) == (None, False, None)
    assert target.imports_for(CELL) == ()
    assert target.isolated_stages(REQUEST, no_watch) == {}


def test_the_function_of_its_module_still_checks_options(module: ModuleType) -> None:
    registry.check_options("somebodys:Old", "any", {"steps": 1})

    def check_options(pipeline: str, options: Mapping[str, object]) -> None:
        raise HarnessError(f"{pipeline} has no {', '.join(options)}")

    module.check_options = check_options  # type: ignore[attr-defined]
    with (
        pytest.warns(DeprecationWarning, match="check_options of somebodys"),
        pytest.raises(HarnessError, match="any has no steps"),
    ):
        registry.check_options("somebodys:Old", "any", {"steps": 1})


def test_our_own_targets_subclass_it() -> None:
    for name in registry.BUILT_IN:
        assert isinstance(registry._factory(name)(), Target), name
