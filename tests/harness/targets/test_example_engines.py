"""
The example repositories of engines, each measured with the real engine where that is here, and its
target exercised against a module of the engine's documented API otherwise.

`VOXGATE_TEST_PIPER=/path/of/venv` and its like name the environment of an engine.
"""

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.harness.targets.example_engines import ENGINES, EXAMPLES, Engine, project_of
from tests.harness.targets.speech_servers import Reply, fake_server, tone, wav
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option, Request, Workload
from voxgate.harness.records.run import OptionCheck, Run
from voxgate.harness.runner.run_folder import load_run
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.targets.http.target import URL
from voxgate.harness.targets.protocol import Target

FAKES = Path(__file__).parent / "fake_engines"
TEXT = "I can hear the rain. It is warm."


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Target]]:
    """Make loaded targets of examples, on the fake of their engine."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(FAKES)

    def make(engine: Engine, **options: Option) -> Target:
        pytest.importorskip("torch" if engine.untrained else "onnxruntime")
        if engine.prepare is not None:
            if not engine.untrained:
                pytest.importorskip("onnx")
            engine.prepare(tmp_path)
        monkeypatch.syspath_prepend(EXAMPLES / engine.example)
        module, _, name = engine.target.partition(":")
        target: Target = getattr(importlib.import_module(module), name)()
        target.check_options("any", options)
        workload = Workload(name="w", requests=(Request(id="r", text=TEXT),))
        cell = Cell(
            suite="s",
            target=engine.target,
            pipeline="any",
            workload=workload,
            axes={},
            fixed={**engine.options, **options},
        )
        target.load(cell, {"device": "cpu", "threads": 1})
        return target

    yield make
    ours = {module.partition(".")[0] for engine in ENGINES.values() for module in _modules(engine)}
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ours:
            del sys.modules[name]


def _modules(engine: Engine) -> tuple[str, str]:
    return engine.module, engine.target.partition(":")[0]


def checks_of(target: Target) -> dict[str, OptionCheck]:
    found = target.observe(Request(id="r", text=TEXT))
    return {check.option: check for check in found}


@pytest.mark.parametrize("name", ENGINES)
def test_the_target_of_an_example_speaks_and_sees_its_options(
    name: str, fake: Callable[..., Target]
) -> None:
    engine, stages = ENGINES[name], []

    def watch(stage: str) -> contextlib.AbstractContextManager[None]:
        stages.append(stage)
        return contextlib.nullcontext()

    target = fake(engine)
    chunks = list(target.synthesize(Request(id="r", text=TEXT), watch))
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 for chunk in chunks)
    assert sum(map(len, chunks)) > 0.1 * target.sample_rate_hz
    assert len(set(stages)) == 2 and len(chunks) == (1 if engine.untrained else 2)
    checks = checks_of(target)
    assert {option: check.in_effect for option, check in checks.items()} == dict.fromkeys(
        engine.ignored, True
    )
    for option, value in engine.options.items():
        if option in checks:
            assert checks[option].requested == value
    assert set(engine.options) | {"device", "threads"} <= set(target.effective())


@pytest.mark.parametrize(
    ("name", "option"), [(name, each) for name in ENGINES for each in ENGINES[name].ignored]
)
def test_an_engine_that_drops_an_option_is_found_out(
    name: str, option: str, fake: Callable[..., Target]
) -> None:
    engine = ENGINES[name]
    target = fake(engine)
    ignored = sys.modules[engine.flags or engine.module].IGNORED
    ignored[option] = engine.ignored[option]
    assert checks_of(target)[option].in_effect is False


@pytest.mark.parametrize("name", ENGINES)
def test_an_unknown_option_is_refused_before_anything_is_measured(
    name: str, fake: Callable[..., Target]
) -> None:
    with pytest.raises(HarnessError, match="no option stepz"):
        fake(ENGINES[name], stepz=3)


@pytest.mark.parametrize("name", ENGINES)
def test_weights_that_are_not_there_are_one_refusal(name: str, fake: Callable[..., Target]) -> None:
    engine = ENGINES[name]
    with pytest.raises(HarnessError, match="nowhere"):
        fake(engine, **engine.missing)


def environment_of(engine: Engine) -> str:
    """Return the environment of a real engine; skip without one."""
    named = os.environ.get(engine.variable, "")
    if named:
        return named
    if importlib.util.find_spec(engine.module) is None:
        pytest.skip(f"{engine.module} is not installed; {engine.variable} may name its environment")
    return sys.prefix


def measured(folder: Path, patch: pytest.MonkeyPatch, cells: str = "*") -> Run:
    patch.chdir(folder)
    assert invoke(["run", "gate", "--repeats", "1", "--only", cells, "--out", "runs/1"]) == 0
    return load_run(Path("runs/1"))


@pytest.mark.parametrize("name", ENGINES)
def test_the_real_engine_is_measured(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project_of(ENGINES[name], tmp_path, environment_of(ENGINES[name]))
    run = measured(tmp_path, monkeypatch, ENGINES[name].cells)
    for process in run.processes:
        assert process.effects and all(check.in_effect for check in process.effects)
        assert len(process.iterations[-1].stages_s) >= 2
    assert run.environment.toolchain.versions["engine_environment"] == ".venv"


@pytest.mark.parametrize(
    ("example", "cell", "longer"),
    [("espeak-ng", "speed-260", 0.75), ("flite", "stretch-1.3", 1.2)],
)
def test_the_program_of_an_example_is_measured(
    example: str, cell: str, longer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(example) is None:
        pytest.skip(f"needs the program {example}")
    shutil.copytree(EXAMPLES / example, tmp_path, dirs_exist_ok=True)
    run = measured(tmp_path, monkeypatch)
    audio_s = {each.cell: each.iterations[-1].audio_s for each in run.processes}
    ratio = audio_s[cell] / audio_s[run.reference]
    assert (ratio < longer) if longer < 1 else (ratio > longer)


def test_any_speech_server_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLES / "openai-server", tmp_path, dirs_exist_ok=True)
    with fake_server(Reply(parts=(wav(tone(22_050)),))) as server:
        monkeypatch.setenv(URL, server.url)
        run = measured(tmp_path, monkeypatch)
    assert run.reference == "streamed-true"
    assert {each.cell for each in run.processes} == {"streamed-true", "streamed-false"}


@pytest.mark.parametrize(
    "example", [*ENGINES, "espeak-ng", "flite", "openai-server", "command-line", "engine-plugin"]
)
def test_the_suites_of_an_example_expand(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES / example)
    for path in sorted(Path("suites").glob("*.py")):
        assert load_suite(path.stem).expand().cells
