"""Engines in environments of their own: real virtual environments, real pipes."""

import array
import ast
import json
import os
import stat
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.machine.test_process_guard import gone
from tests.harness.targets.foreign_engine import install, interpreter, make_environment
from voxgate import Suite
from voxgate.harness.audio.files import read_audio
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.profiles import get_profile
from voxgate.harness.records.cell import cell_to_json
from voxgate.harness.records.run import FailureKind, ProcessRecord
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.make_header import make_header
from voxgate.harness.runner.opened_files import (
    ForeignFilesError,
    Territory,
    check_files,
    parts_of_environments,
)
from voxgate.harness.runner.worker import Worker
from voxgate.harness.runner.worker_channel import WorkerRequest
from voxgate.harness.runner.worker_process import WorkerError, WorkerProcess
from voxgate.harness.targets.other_python import connection, shim_parts
from voxgate.harness.targets.other_python.connection import (
    EngineAbroadError,
    EngineLaunch,
    EngineProcess,
    Spoken,
    audio_chunks,
)
from voxgate.harness.targets.other_python.find import find_environment
from voxgate.harness.targets.other_python.probe import check_there
from voxgate.harness.targets.registry import check_cells
from voxgate.harness.targets.slowdown import SLOWED, SlowDown

Make = Callable[..., Suite]
SHIM = sorted(Path(shim_parts.__file__).parent.glob("shim*.py"))
COMMANDS: list[dict[str, Any]] = [
    {"do": "load", "alone": True},
    {"do": "iterate", "phase": "first", "request": "r1"},
    {"do": "iterate", "phase": "warmup", "request": "r2"},
    {"do": "observe", "request": "r1"},
    {"do": "pin"},
    {"do": "iterate", "phase": "measured", "request": "r1"},
    {"do": "iterate", "phase": "measured", "request": "r1"},
    {"do": "stages", "request": "r1"},
    {"do": "finish"},
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environments") / "venv"
    make_environment(folder)
    return folder


@pytest.fixture
def foreign(make_suite: Make, environment: Path) -> Make:
    """Gives suites whose engine runs in the environment."""

    def make(name: str = "Engine", **changes: Any) -> Suite:
        return make_suite(
            **{"target": f"mytts.bench:{name}", "environment": str(environment), **changes}
        )

    return make


def measured(
    suite: Suite, folder: Path, commands: list[dict[str, Any]] = COMMANDS
) -> tuple[list[dict[str, Any]], ProcessRecord]:
    """Have a worker, in this process, carry out commands on the first cell of a suite."""
    (folder / "processes").mkdir(parents=True)
    cell = suite.expand().cells[0]
    job = WorkerRequest(
        cell=cell,
        repeat=0,
        folder=folder,
        log=process_files.log_path(folder, cell.slug, 0),
        defaults={"device": "cpu"},
        cpus=(),
        cpu=None,
        known={},
        iterations_before=0,
    )
    log = process_files.WorkerLog(job.log)
    worker = Worker(job, log, age_s=0.0)
    answers = []
    for command in commands:
        answers.append(worker.handle(command))
        if "failed" in answers[-1]:
            break
    log.close()
    record = process_files.load_process(folder, cell.slug, 0)
    assert record is not None
    return answers, record


@pytest.mark.parametrize("name", ["Scripted", "Marked"])
def test_an_engine_elsewhere_leaves_the_records_of_one_in_this_process(
    name: str, foreign: Make, make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packages").mkdir()
    install(tmp_path / "packages")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "mytts", raising=False)

    answers, there = measured(foreign(name), tmp_path / "there")
    _, here = measured(make_suite(target=f"mytts.bench:{name}"), tmp_path / "here")

    assert [answer.get("done") for answer in answers] == [each["do"] for each in COMMANDS]
    assert there.iterations[2].audio_file is not None
    assert (there.peak_rss_bytes or 0) > 0
    memory = {"peak_rss_bytes": None, "peak_cuda_bytes": None}
    assert replace(there, **memory) == replace(here, **memory)
    iteration = there.iterations[2]
    assert (iteration.marked_file is not None) == (name == "Marked")
    assert [notice.kind for notice in iteration.notices] == ["cut"] * (name == "Marked")
    assert iteration.stages_s.get("watermark") == (0.25 if name == "Marked" else None)
    for file in filter(None, (iteration.audio_file, iteration.marked_file)):
        first, second = (  # the files hold the second in which they were written
            read_audio(tmp_path / side / file) for side in ("there", "here")
        )
        assert first[1] == second[1] == 16_000
        np.testing.assert_array_equal(first[0], second[0])


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"fault": "short"}, "with its watermark and (1599,) without"),
        ({"claim": 9.0}, "the engine claims 9 s in its stages"),
    ],
)
def test_its_watermark_and_its_claims_are_checked_here(
    fixed: dict[str, Any], said: str, foreign: Make, tmp_path: Path
) -> None:
    _, record = measured(foreign("Marked", fixed=fixed), tmp_path / "run", COMMANDS[:2])
    assert record.failure is not None and said in record.failure.reason


def test_its_real_times_are_read_beside_the_engine(foreign: Make, tmp_path: Path) -> None:
    _, record = measured(foreign(), tmp_path / "run")
    sample = record.iterations[-1]
    assert sample.wall_s >= 0.008, "two chunks of 4 ms"
    assert sample.first_audio_s <= sample.wall_s - 0.004
    assert sum(sample.stages_s.values()) <= sample.wall_s
    assert sample.disturbance["major_faults"] >= 0, "of the engine's own process"
    assert record.cold is not None and record.cold.import_s > 0.005


def test_a_run_is_complete_and_names_the_versions_there(
    foreign: Make, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "there.py").write_text(
        '"""Is it quick?"""\nfrom voxgate import Suite\n'
        f"suite = Suite(target='mytts.bench:Engine', environment={str(environment)!r}, "
        "pipeline='any', workload='two.toml', axes={'steps': [8]}, reference={'steps': 8}, "
        "repeats=1)\n"
    )
    assert invoke(["run", "there", "--out", "runs/1"]) == 0
    run = run_folder.load_run(Path("runs/1"))
    tools = run.environment.toolchain.versions
    assert run.complete and run.processes[0].failure is None
    assert run.cells[0].environment == (str(environment),)
    assert tools["engine_numpy"] == "0.1" and tools["engine_torch"] == "0.2"
    assert tools["numpy"] == np.__version__, "which scores the audio"
    assert str(tools["engine_packages"]).startswith("2 (")


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("refuse", FailureKind.REFUSED, "mytts refuses this"),
        ("raise", FailureKind.ERROR, "RuntimeError: no voice today (mytts/bench.py:"),
        ("nan", FailureKind.ERROR, "ValueError: request r1 gave audio with NaN"),
        ("shape", FailureKind.ERROR, "ValueError: audio has shape (1, 1)"),
        ("die", FailureKind.KILLED, "the engine was ended by SIGKILL (out of memory?)"),
        ("exit", FailureKind.DIED, "its last words: the model file is broken"),
    ],
)
def test_a_failure_has_its_kind_and_its_reason(
    fault: str, kind: FailureKind, reason: str, foreign: Make, tmp_path: Path
) -> None:
    answers, record = measured(foreign(fixed={"fault": fault}), tmp_path / "run")
    assert record.failure is not None
    assert record.failure.kind is kind
    assert reason in record.failure.reason
    assert "failed" in answers[-1]


def test_a_time_out_ends_the_engine_with_its_worker(foreign: Make, tmp_path: Path) -> None:
    cell = foreign(fixed={"fault": "hang"}).expand().cells[0]
    (tmp_path / "run" / "processes").mkdir(parents=True)
    log = process_files.log_path(tmp_path / "run", cell.slug, 0)
    job = {
        "cell": cell_to_json(cell),
        "repeat": 0,
        "folder": str(tmp_path / "run"),
        "log": str(log),
        "defaults": {},
        "cpus": [],
        "cpu": None,
        "known": {},
        "iterations_before": 0,
    }
    worker = WorkerProcess(job, log.with_suffix(""), {})
    worker.do(COMMANDS[0], 60.0)
    engines = children(worker._process.pid)
    with pytest.raises(WorkerError) as caught:
        worker.do(COMMANDS[1], 1.0)
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert len(engines) == 1 and gone(engines)
    worker.close()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


@pytest.fixture
def started(environment: Path, tmp_path: Path) -> Iterator[EngineProcess]:
    process = EngineProcess(find_environment((str(environment),)), tmp_path / "stderr")
    yield process
    process.kill()


def test_an_engine_at_work_ends_when_voxgate_is_gone(started: EngineProcess, foreign: Make) -> None:
    request = {"id": "r1", "text": "One.", "options": {}, "language": "en"}
    cell = foreign(fixed={"fault": "hang"}).expand().cells[0]
    said = cell_to_json(cell) | {"options": cell.options}
    started.ask("load", target=cell.target, cell=said, defaults={})

    def speak() -> None:
        with pytest.raises(EngineAbroadError):
            started.ask("speak", request=request)

    hanging = threading.Thread(target=speak)
    hanging.start()
    time.sleep(0.2)
    assert started._process.poll() is None
    assert started._process.stdin is not None
    started._process.stdin.close()
    assert started._process.wait(10) == 0
    hanging.join(10)


def test_its_process_is_known_here_by_its_number(started: EngineProcess) -> None:
    assert started.pid == started._process.pid
    started.facts = replace(started.facts, ticks=1)
    assert started.pid is None, "a container's number is another process's here"


def test_files_of_the_project_are_foreign_there_too(
    environment: Path, tmp_path: Path, foreign: Make
) -> None:
    (tmp_path / "project").mkdir()
    voice = tmp_path / "project" / "voice.bin"
    voice.write_text("a voice")
    launch = find_environment((str(environment),))
    process = EngineProcess(launch, tmp_path / "stderr", listen=True)
    try:
        cell = foreign().expand().cells[0]
        said = cell_to_json(cell) | {"options": cell.options}
        process.ask("load", target=cell.target, cell=said, defaults={})
        files = process.ask("files")[0]["files"]
    finally:
        process.end()
    territory = Territory(project=(environment.parent, tmp_path / "project"), own=())
    own = parts_of_environments(process.facts.prefixes)
    assert any(path.endswith("mytts/bench.py") for path in files)
    assert check_files(files, territory, own) == len(files)
    with pytest.raises(ForeignFilesError, match=r"used .*voice.bin, which"):
        check_files([*files, str(voice)], territory, own)


def test_a_launcher_that_inherits_nothing_gets_the_threads(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    text = "import os; V = os.environ.get('OMP_NUM_THREADS')\nclass T:\n"
    methods = "".join(f"    def {name}(self, *_): pass\n" for name in ("load", "synthesize"))
    (tmp_path / "said.py").write_text(
        f"{text}{methods}    def effective(self): return {{'threads': V}}\n"
    )
    words = ("env", "-i", f"PYTHONPATH={tmp_path}", str(environment / "bin" / "python"))
    process = EngineProcess(find_environment(words), tmp_path / "stderr")
    try:
        cell = {"workload": {"requests": []}}
        answer, _ = process.ask("load", target="said:T", cell=cell, defaults={})
    finally:
        process.end()
    assert answer["effective"] == {"threads": "7"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fixed": {"volume": 3}}, "mytts has no option volume"),
        ({"target": "mytts.bench:Lacking"}, "target 'mytts.bench:Lacking' lacks effective, synth"),
        (
            {"target": "othertts.bench:Engine"},
            "it has no module 'othertts'; `*bin/python -m pip install othertts`, or set PYTHONPATH"
            "; the project has no othertts.py or othertts/ either",
        ),
        (
            {"target": "numpy:Engine"},
            "target 'numpy:Engine' in environment *: ImportError: numpy of another world",
        ),
        ({"target": "mytts.bench:None_"}, "has no attribute 'None_'"),
        ({"target": "engine"}, "target 'engine' runs in voxgate's own environment"),
        ({"target": "unheard-of"}, "unknown target 'unheard-of'; name a class"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    changes: dict[str, Any], reason: str, foreign: Make
) -> None:
    with pytest.raises(HarnessError) as caught:
        check_cells(foreign(**changes).expand().cells)
    for part in reason.split("*"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_an_interpreter_that_cannot_be_used_is_one_line(tmp_path: Path, foreign: Make) -> None:
    for name in ("gone", "arm", "old", "cat"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "pyvenv.cfg").touch()
    (tmp_path / "gone/bin/python").symlink_to("/usr/bin/python2.99")
    program(tmp_path / "arm/bin/python", "\x7fELF\x02\x01\x01\x00 of another machine")
    program(tmp_path / "old/bin/python", "#!/bin/sh\nprintf '\\0voxgate-shim 3 6\\n'; cat >&2\n")
    program(tmp_path / "cat/bin/python", "#!/bin/sh\necho I am no Python >&2; exit 7\n")
    reasons = {
        "gone": "it is a link to /usr/bin/python2.99; make the environment anew",
        "arm": "Exec format error (this machine is ",
        "old": "has Python 3.6; an engine needs 3.8 or newer",
        "cat": "starts no Python: the engine ended with code 7 and without an answer; its last "
        "words: I am no Python",
    }
    for name, reason in reasons.items():
        with pytest.raises(HarnessError) as caught:
            check_cells(foreign(environment=str(tmp_path / name)).expand().cells)
        assert reason in str(caught.value), name


def test_the_command_line_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "suites" / "there.py", "from voxgate import Suite\nsuite = Suite("
            "target='a:B', environment='nowhere', pipeline='any', workload='two.toml', "
            "axes={'steps': [8]}, reference={'steps': 8})\n")  # fmt: skip
    (tmp_path / "two.toml").write_text('[[request]]\nid = "r1"\ntext = "One."\n')
    assert invoke(["run", "there"]) == 2
    refused = capsys.readouterr().err
    assert "environment 'nowhere' is not there: no folder" in refused
    assert "make it: `python -m venv nowhere`" in refused


def test_environments_are_found_by_folder_and_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*words: str) -> EngineLaunch:
        return find_environment(words, tmp_path)

    for prefix in ("venv", "uv/.venv", "conda/envs/tts"):
        program(tmp_path / prefix / "bin" / "python", "")
    (tmp_path / "venv/pyvenv.cfg").touch()
    (tmp_path / "uv/.venv/pyvenv.cfg").touch()
    (tmp_path / "uv/uv.lock").touch()
    (tmp_path / "conda/envs/tts/conda-meta").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/uv.lock").touch()
    home = tmp_path / "home"
    (home / ".conda").mkdir(parents=True)
    (home / ".conda/environments.txt").write_text(f"{tmp_path}/conda/envs/tts\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    venv = found("venv")
    assert venv.command == (str(tmp_path / "venv/bin/python"),)
    assert venv.env["VIRTUAL_ENV"] == str(tmp_path / "venv")
    assert venv.env["PATH"].startswith(str(tmp_path / "venv/bin") + os.pathsep)
    assert found("venv/bin/python").command == venv.command
    assert found("uv").command == (str(tmp_path / "uv/.venv/bin/python"),)
    for words in ("tts", "conda/envs/tts"):
        conda = found(words)
        assert conda.command == (str(tmp_path / "conda/envs/tts/bin/python"),)
        assert conda.install == f"conda install -p {tmp_path}/conda/envs/tts"
        assert "CONDA_PREFIX" in conda.env
    with pytest.raises(HarnessError, match="make one with `uv sync --project bare`"):
        found("bare")
    uv = program(tmp_path / "bin/uv", "")
    assert found("bare").command[:2] == (str(uv), "run")
    assert found("uv", "run", "python").command == ("uv", "run", "python")
    assert found("docker", "-v", "{folder}:/work", "image", "python").command == (
        *("docker", "-v", f"{tmp_path}:/work", "image", "python"),
    )
    assert found("uv", "x").label == "uv x"


@pytest.mark.parametrize("wrong", ["", [""], ["python", 3], 7, [["python"]]])
def test_an_environment_is_words(wrong: Any, make_suite: Make) -> None:
    if wrong == "":
        assert make_suite(environment=wrong).expand().cells[0].environment == ()
        return
    with pytest.raises(HarnessError, match="environment must be a folder, a name, or a list"):
        make_suite(environment=wrong)


def test_the_environment_changes_no_digest(make_suite: Make) -> None:
    cells = [make_suite(environment=each).expand().cells[0] for each in ("", "venv")]
    assert cells[0].digest() == cells[1].digest()
    assert cells[0].slug == cells[1].slug


@pytest.mark.parametrize(
    ("chunk", "dtype"),
    [
        (array.array("f", [0.25, -0.5]), "float32"),
        (array.array("d", [0.25, -0.5]), "float32"),
        (array.array("h", [8192, -16384]), "int16"),
        (array.array("h", [8192, -16384]).tobytes(), "int16"),
        (bytearray(array.array("h", [8192, -16384])), "int16"),
        ([0.25, -0.5], "float32"),
        ((8192, -16384), "int16"),
        (np.array([0.25, -0.5], np.float32), "float32"),
        (np.array([0.25, 0.0, -0.5, 0.0], np.float32)[::2], "float32"),
        (np.array([0.25, -0.5], np.float16), "float32"),
        (np.array([8192, -16384], np.int16), "int16"),
    ],
)
def test_audio_is_taken_from_whatever_has_it(chunk: Any, dtype: str) -> None:
    given, length, raw = shim_parts.audio_of(chunk)
    assert (given, length) == (dtype, 2)
    spoken = Spoken(
        wall_s=1.0,
        arrived_s=(0.5,),
        stages_s={},
        sample_rate_hz=16_000,
        chunk_boundaries_s=None,
        settled=True,
        chunks=(connection.ChunkShape(dtype=given, shape=(length,)),),  # type: ignore[arg-type]
    )
    np.testing.assert_array_equal(audio_chunks(spoken, raw)[0][0], np.float32([0.25, -0.5]))
    with pytest.raises(ValueError, match=r"5 bytes of audio|9 bytes of audio"):
        audio_chunks(spoken, raw + b"x")


def test_audio_is_taken_from_torch_without_numpy() -> None:
    torch = pytest.importorskip("torch")
    values = torch.tensor([0.25, 0.0, -0.5, 0.0])
    half = np.float32([0.25, -0.5]).tobytes()
    assert shim_parts.audio_of(values[::2]) == ("float32", 2, half)
    assert shim_parts.audio_of(values[::2].double().requires_grad_()) == ("float32", 2, half)
    assert shim_parts.audio_of((values[::2] * 32768).short())[0] == "int16"
    with pytest.raises(TypeError, match="audio is on meta; yield it on the CPU"):
        shim_parts.audio_of(values.to("meta"))


@pytest.mark.parametrize(
    "chunk",
    [
        np.zeros((1, 4), np.float32),
        np.zeros(4, np.int64),
        np.zeros(4, ">f4"),
        b"odd",
        [[0.1, 0.2]],
        [99999, 1],
        {"audio": 1},
        3,
    ],
)
def test_what_is_no_mono_audio_is_refused(chunk: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        shim_parts.audio_of(chunk)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK", b"VXF1\xff\xff\xff\xff\0\0\0\0", b"VXF1"])
def test_a_stranger_s_answer_is_checked(answer: bytes, tmp_path: Path) -> None:
    mark = connection.MARK.replace(b"\0", b"\\0").decode()
    octal = "".join(f"\\{byte:03o}" for byte in answer)
    script = program(tmp_path / "python", f"#!/bin/sh\nprintf '{mark}3 11\\n{octal}'; cat >&2\n")
    launch = EngineLaunch(command=(str(script),), label="there")
    with pytest.raises((EngineAbroadError, HarnessError), match=r"answered nonsense|no answer"):
        EngineProcess(launch, tmp_path / "stderr", timeout_s=0.5)


def test_the_shim_is_written_in_python_3_8_and_needs_nothing_else() -> None:
    assert len(SHIM) == 2
    for path in SHIM:
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        assert isinstance(tree.body[1], ast.ImportFrom) and tree.body[1].module == "__future__"
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            for name in names:
                assert name.partition(".")[0] in sys.stdlib_module_names, f"{path}: {name}"
        assert ".removeprefix(" not in path.read_text()


def test_the_shim_imports_neither_voxgate_nor_numpy(environment: Path, tmp_path: Path) -> None:
    text = "import sys\nclass T:\n    def load(self, *_): pass\n    synthesize = load\n"
    more = "    def effective(self): return {name: 1 for name in sys.modules}\n"
    (tmp_path / "said.py").write_text(text + more)
    words = ("env", f"PYTHONPATH={tmp_path}", str(environment / "bin" / "python"))
    process = EngineProcess(find_environment(words), tmp_path / "stderr")
    try:
        cell = {"workload": {"requests": []}}
        loaded, _ = process.ask("load", target="said:T", cell=cell, defaults={})
    finally:
        process.end()
    assert {"numpy", "torch", "harness", "click"} & set(loaded["effective"]) == set()
    assert "voxgate_shim.shim" in loaded["effective"]


def test_the_profile_reaches_the_header(foreign: Make) -> None:
    suite = foreign()
    header = make_header(
        suite,
        suite.expand().cells,
        get_profile("cpu"),
        repeats=None,
        iterations=None,
        command="",
    )
    assert header.environment.toolchain.versions["engine_python"] == sys.version.split()[0]


def test_processes_of_checks_leave_nobody_behind(foreign: Make) -> None:
    before = set(children(os.getpid()))
    check_cells(foreign().expand().cells)
    left = set(children(os.getpid())) - before
    words = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
    assert all(b"process_guard" in each for each in words), words


def test_a_program_of_the_path_is_an_environment(tmp_path: Path) -> None:
    assert find_environment(("python3",), tmp_path).command[0].endswith("python3")


def test_an_option_check_is_sent_by_the_same_keys_under_new_and_old_names() -> None:
    sent = {"option": "steps", "asked": 3, "observed": "3", "holds": True, "why": "counted"}
    new = {"option": "steps", "requested": 3, "observed": "3", "in_effect": True}
    assert shim_parts.check_fields(shim_parts.OptionCheck(**new, reason="counted")) == sent
    assert shim_parts.check_fields(shim_parts.OptionCheck(**sent)) == sent
    assert shim_parts.check_fields(types.SimpleNamespace(**sent)) == sent  # of an older voxgate
    with pytest.raises(TypeError, match="has no colour"):
        shim_parts.OptionCheck(**sent, colour="red")


@pytest.mark.parametrize(
    ("apart", "stages"), [(False, {"vocoder": 0.24}), (True, {"slowed": 0.04})]
)
def test_selftest_slows_it_down_by_work_of_its_own(
    apart: bool,
    stages: dict[str, float],
    foreign: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = {"steps-8": {"r1": 400, "r2": 400}}
    order = SlowDown(stage="vocoder", units=units, apart=apart)
    for name, value in order.env().items():
        monkeypatch.setenv(name, value)
    _, record = measured(foreign("Advancing"), tmp_path / "run")
    last = record.iterations[-1]
    assert record.failure is None
    assert last.wall_s == pytest.approx(0.84)
    assert {name: last.stages_s[name] for name in stages} == pytest.approx(stages)
    monkeypatch.setenv(SLOWED, json.dumps({"stage": "x", "units": units}))
    _, record = measured(foreign("Advancing"), tmp_path / "again")
    assert record.failure is not None
    assert record.failure.reason.endswith(
        "no stage 'x' to slow down; its stages are acoustic, vocoder at request r1"
    )
    monkeypatch.setenv(SLOWED, json.dumps({"stage": "x", "units": {}}))
    _, record = measured(foreign("Advancing"), tmp_path / "without")
    assert record.failure is not None
    assert "names no units for steps-8, request r1" in record.failure.reason


def test_the_additional_work_of_a_selftest_takes_real_time(foreign: Make, tmp_path: Path) -> None:
    class Still:
        def synthesize(self, request: object, watch: Callable[[str], Any]) -> Iterator[bytes]:
            with watch("all"):
                yield b""

    clock = shim_parts.RealTime()
    stages = shim_parts.StageSeconds(clock)
    slow = {"stage": "all", "units": 500, "apart": False}
    list(shim_parts.slowed(Still(), None, stages, slow, clock))
    assert stages.stages_s["all"] > 500 * 2e-6


@pytest.mark.skipif(
    subprocess.run(  # a container without docker
        ["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False
    ).returncode
    != 0,
    reason="needs a user who may make a namespace of processes",
)
def test_a_process_in_a_container_has_no_number_here_and_ends_with_voxgate(
    environment: Path, tmp_path: Path, foreign: Make
) -> None:
    python = str(environment / "bin" / "python")
    words = ("unshare", "--pid", "--fork", "--mount-proc", python)
    _, record = measured(foreign(environment=words), tmp_path / "run")
    assert record.failure is None
    assert record.iterations[-1].disturbance == {}, "not those of voxgate's own process"
    process = EngineProcess(find_environment(words), tmp_path / "stderr")
    inside = children(process._process.pid)
    assert process.facts.pid == 1 and process.pid is None
    assert check_there("mytts.bench:Engine", words, []).here is False
    process._process.kill()  # as a client of docker is killed: what it started stays
    assert process._process.stdin is not None
    process._process.stdin.close()
    assert len(inside) == 1 and gone(inside, 10.0)
    process.kill()


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
def test_it_runs_in_older_and_younger_interpreters(
    version: str, foreign: Make, tmp_path: Path
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    make_environment(tmp_path / "venv", python)
    suite = foreign("Scripted", environment=str(tmp_path / "venv"))
    told = check_cells(suite.expand().cells)
    answers, there = measured(suite, tmp_path / "there")
    _, here = measured(foreign("Scripted"), tmp_path / "here")
    assert str(told["engine_python"]).startswith(f"{version}.")
    assert told["engine_torch"] == "0.2"
    assert [answer.get("done") for answer in answers] == [each["do"] for each in COMMANDS]
    memory = {"peak_rss_bytes": None, "peak_cuda_bytes": None}
    assert replace(there, **memory) == replace(here, **memory)


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_an_interpreter_that_is_too_old_says_so(
    version: str, foreign: Make, tmp_path: Path
) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version}")
    with pytest.raises(HarnessError, match=f"has Python {version}; an engine needs 3.8 or newer"):
        check_cells(foreign(environment=python).expand().cells)
