"""
Environments of revisions' engines: real repositories and virtual environments; `uv` is a script
that makes one and writes down what it was asked for.
"""

import fcntl
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.repository import Repository
from tests.harness.targets.foreign_engine import make_environment
from voxgate.harness.cli.main import invoke
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import unix_s
from voxgate.harness.machine.git import resolve
from voxgate.harness.records.cell import Cell
from voxgate.harness.revisions import engine_environments
from voxgate.harness.revisions.checkout import CACHE, Checkout, workshop
from voxgate.harness.revisions.engine_environments import engine_need, lock_file
from voxgate.harness.revisions.kept_environments import (
    MOST_AGE_S,
    MOST_KEPT,
    lock,
    prune,
    unless_ready,
)
from voxgate.harness.runner import run_folder
from voxgate.harness.suite.suite import load_suite
from voxgate.harness.targets.other_python.probe import check_there

BENCH = '''"""The engine, whose speed a library sets that only its environment has."""
import array
import voice_library

class Clock:
    now = 0.0
    def seconds(self): return self.now
    def process_age_s(self): return self.now

class Engine:
    sample_rate_hz = 16000
    def __init__(self): self.clock = Clock()
    def load(self, cell, defaults): self.options = {**defaults, **cell.options}
    def effective(self): return {**self.options, "seed": 0}
    def synthesize(self, request, watch):
        with watch("vocoder"): self.clock.now += voice_library.LATENCY_S
        yield array.array("f", [0.1, -0.1] * 800)
'''
SUITE = '''"""Is it as quick as it was?"""
from voxgate import Suite

suite = Suite(target="mytts.bench:Engine", environment=".venv", pipeline="any", workload="two.toml",
              axes={"steps": [8]}, reference={"steps": 8}, metrics=[])
'''
UV = """#!{python}
import pathlib, subprocess, sys
words = sys.argv[1:]
with open({asked!r}, "a") as file: print(*words[:2], file=file)
if words[0] == "venv":
    subprocess.run([{python!r}, "-m", "venv", "--without-pip", words[-1]], check=True)
elif pathlib.Path(words[-1]).read_text() == "broken\\n":
    sys.exit("no such package: broken")
else:
    site = next((pathlib.Path(words[3]).parents[1] / "lib").glob("python3*/site-packages"))
    latency = pathlib.Path(words[-1]).read_text().strip().partition("==")[2]
    (site / "voice_library.py").write_text("LATENCY_S = " + latency + "\\n")
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Puts `uv` on PATH; gives the words that it was called with."""
    path = tmp_path / "bin" / "uv"
    path.parent.mkdir()
    path.write_text(UV.format(python=sys.executable, asked=str(tmp_path / "asked")))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
    told = tmp_path / "asked"
    return lambda: told.read_text().splitlines() if told.exists() else []


@pytest.fixture
def project(repository: Repository) -> Repository:
    """A repository whose engine runs in `.venv`, made from `requirements.txt`."""
    repository.commit(
        "an engine",
        {
            "mytts/__init__.py": "",
            "mytts/bench.py": BENCH,
            "suites/two.py": SUITE,
            "requirements.txt": "voice-library==0.100\n",
            ".gitignore": "runs/\n.venv/\n",
        },
    )
    packages = make_environment(repository.folder / ".venv")
    (packages / "mytts" / "bench.py").unlink()  # what is measured is the revision's own
    (packages / "voice_library.py").write_text("LATENCY_S = 0.1\n")
    return repository


def cells(repository: Repository) -> tuple[Cell, ...]:
    return load_suite("two", repository.folder).expand(repository.folder).cells


def checked_out(
    repository: Repository, *names: str, log: list[str] | None = None
) -> list[Checkout]:
    need = engine_need(cells(repository))
    with workshop(repository.folder, (log if log is not None else []).append) as shop:
        return [shop.checkout(resolve(Path(), name), ["mytts"], need) for name in names]


def test_another_lock_file_gets_an_environment_once_and_an_equal_one_shares(
    project: Repository, asked: Callable[[], list[str]]
) -> None:
    project.commit("as before", {"mytts/mark.py": ""})
    project.commit("slower", {"requirements.txt": "voice-library==0.125\n"})
    project.commit("and more", {"mytts/mark.py": "more"})
    project.write({"requirements.txt": "voice-library==0.100\n"})
    log: list[str] = []
    sides = checked_out(project, "HEAD~3", "HEAD~2", "HEAD~1", "HEAD", log=log)
    assert [side.environment for side in sides[:2]] == [".venv, shared"] * 2
    assert sides[2].environment == sides[3].environment
    assert sides[2].environment.endswith("as requirements.txt differs")
    engines = [side.launch.engine for side in sides]
    assert engines[0] is not None and engines[2] is not None and engines[3] is not None
    assert engines[0].command == (str(project.folder / ".venv/bin/python"),)
    assert engines[2].command == engines[3].command
    assert engines[2].command[0].startswith(str(project.folder / CACHE / "environments"))
    assert sides[0].launch.python == sys.executable, "voxgate measures in its own environment"
    assert sides[0].toolchain["engine_numpy"] == "0.1"
    assert "engine_numpy" not in sides[2].toolchain
    assert asked() == ["venv --python", "pip install"] and len(log) == 1
    checked_out(project, "HEAD", log=log)
    assert asked() == ["venv --python", "pip install"], "it was kept"


@pytest.mark.usefixtures("asked")
def test_ab_measures_each_side_with_its_own_library(
    project: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    project.commit("slower", {"requirements.txt": "voice-library==0.125\n"})
    project.write({"requirements.txt": "voice-library==0.100\n"})
    assert invoke(["ab", "HEAD~1", "HEAD", "two", "--rounds", "2", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "REGRESSED"
    assert any(note.startswith("environment of HEAD: its own") for note in document["notes"])
    head = run_folder.load_run(Path("runs/0001/head"))
    assert head.processes[0].iterations[0].wall_s == 0.125
    assert head.processes[0].iterations[0].stages_s == {"vocoder": 0.125}
    assert head.environment.toolchain.versions["engine_environment"] == ".venv"


def test_a_lock_that_cannot_be_built_is_one_line(
    project: Repository, asked: Callable[[], list[str]]
) -> None:
    project.commit("broken", {"requirements.txt": "broken\n"})
    project.write({"requirements.txt": "voice-library==0.100\n"})
    with pytest.raises(HarnessError, match=r"engine cannot be built: no such package: broken; wh"):
        checked_out(project, "HEAD")
    assert list((project.folder / CACHE / "environments").glob("*/ready")) == []
    assert asked()


def test_an_environment_that_is_not_there_is_built_from_the_lock(
    project: Repository, asked: Callable[[], list[str]]
) -> None:
    (project.folder / ".venv").rename(project.folder / "elsewhere")
    (project.folder / ".gitignore").write_text("runs/\n.venv/\nelsewhere/\n")
    side = checked_out(project, "HEAD")[0]
    assert side.environment.startswith("its own (.voxgate/environments/")
    assert asked() == ["venv --python", "pip install"]
    (project.folder / "requirements.txt").unlink()
    with pytest.raises(HarnessError, match=r"environment '\.venv' is not there"):
        checked_out(project, ".")


def test_what_a_project_installs_lies_over_its_environment(
    project: Repository, asked: Callable[[], list[str]]
) -> None:
    build = "import sysconfig, pathlib\n" + (
        "folder = pathlib.Path(sysconfig.get_paths()['purelib'])\n"
        "(folder / 'built.py').write_text('WHERE = ' + repr(str(pathlib.Path.cwd())))\n"
    )
    text = '[tool.voxgate]\ninstall = [["python", "build.py"]]\n'
    bench = f"import built\n{BENCH}"
    project.commit(
        "it is built", {"build.py": build, "pyproject.toml": text, "mytts/bench.py": bench}
    )
    sides = checked_out(project, "HEAD", ".")
    assert all(side.environment.endswith("as it is built") for side in sides)
    project.write({"build.py": f"{build}# another state\n"})
    log: list[str] = []
    checked_out(project, "HEAD", ".", log=log)
    assert [line for line in log if "is built for its side" in line][1:] == []
    assert not asked(), "the lock file is the same"


def test_the_target_s_package_must_be_the_revision_s_own(project: Repository) -> None:
    project.commit("no engine", {"mytts/bench.py": BENCH})
    project.git("rm", "--quiet", "-r", "mytts")
    project.commit("it is gone")
    packages = next((project.folder / ".venv/lib").glob("python3*/site-packages"))
    (packages / "mytts" / "bench.py").write_text(BENCH)
    with pytest.raises(HarnessError, match=r"would be measured with package mytts from .*\.venv"):
        checked_out(project, "HEAD")


def test_lists_of_words_are_shared_and_get_the_tree(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = project.folder / ".venv" / "bin" / "python"
    words = ["env", "HERE={folder}", str(python)]
    text = SUITE.replace('".venv"', repr(words))
    project.commit("words", {"suites/two.py": text})
    side = checked_out(project, "HEAD")[0]
    assert side.launch.engine is not None
    assert side.launch.engine.command[1] == f"HERE={side.tree}"
    assert side.environment.endswith(", shared")


def test_what_uv_runs_is_made_by_uv_for_each_lock_file(
    project: Repository, asked: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.commit(
        "by uv",
        {"tts/uv.lock": "version = 1\n", "suites/two.py": SUITE.replace('".venv"', '"tts"')},
    )
    made: list[list[str]] = []

    def run(command: list[str], what: str, env: dict[str, str], **_: object) -> str:
        made.append(command)
        Path(env["UV_PROJECT_ENVIRONMENT"]).symlink_to(project.folder / ".venv")
        return ""

    real = engine_environments.run
    monkeypatch.setattr(
        engine_environments,
        "run",
        lambda command, what, **more: (run if "sync" in command else real)(command, what, **more),
    )
    side = checked_out(project, "HEAD")[0]
    assert side.environment.endswith("as uv.lock differs")
    words = ["sync", "--frozen", "--no-install-project", "--project"]
    assert made[0][1:5] == words and "--python" not in made[0]
    assert not asked()


@pytest.mark.parametrize(
    ("files", "name", "found"),
    [
        (["requirements.txt", "requirements-dev.txt"], ".venv", "requirements.txt"),
        (["tts/uv.lock", "requirements.txt"], "tts", "tts/uv.lock"),
        (["tts/uv.lock", "requirements.txt"], "tts/.venv", "tts/uv.lock"),
        (["tts/poetry.lock", "uv.lock"], "tts/.venv", "tts/poetry.lock"),
        (["env/environment.yml"], "env", "env/environment.yml"),
        (["requirements-gpu.txt"], ".venv", "requirements-gpu.txt"),
        (["pylock.toml"], ".venv", "pylock.toml"),
        (["uv.lock"], "../.venv", None),
        (["uv.lock"], "/opt/venv", None),
        ([], ".venv", None),
    ],
)
def test_the_lock_file_lies_in_the_folder_or_beside_it(
    files: list[str], name: str, found: str | None, tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    assert lock_file(tmp_path, name) == (None if found is None else tmp_path / found)


def test_several_lists_of_requirements_are_no_lock_file(tmp_path: Path) -> None:
    for name in ("requirements-cpu.txt", "requirements-gpu.txt"):
        (tmp_path / name).touch()
    with pytest.raises(HarnessError, match=r"requirements-gpu\.txt: which one is environment"):
        lock_file(tmp_path, ".venv")


def test_a_file_that_a_lock_file_includes_counts(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("-r more.txt\n-r requirements.txt\n")
    (tmp_path / "more.txt").write_text("a==1\n")
    before = engine_environments._content(tmp_path / "requirements.txt")
    (tmp_path / "more.txt").write_text("a==2\n")
    assert engine_environments._content(tmp_path / "requirements.txt") != before


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("uv.lock", "uv"),
        ("pylock.toml", "uv"),
        ("poetry.lock", "poetry"),
        ("environment.yml", "conda"),
    ],
)
def test_a_tool_that_is_missing_is_named(
    name: str, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    (tmp_path / name).touch()
    with pytest.raises(HarnessError, match=f"it needs {tool}, which is not on PATH"):
        engine_environments._build(tmp_path / "env", tmp_path / name, sys.executable, "x")


def made(environments: Path, name: str, age_s: float) -> Path:
    folder = environments / name
    folder.mkdir(parents=True)
    (folder / "ready").touch()
    os.utime(folder / "ready", (unix_s() - age_s,) * 2)
    return folder


def test_environments_go_when_nobody_uses_them(tmp_path: Path) -> None:
    old, young = made(tmp_path, "old", MOST_AGE_S + 60), made(tmp_path, "young", 60)
    (tmp_path / "old.log").write_text("it was built")
    (tmp_path / "failed.log").write_text("it was not")
    held, building = made(tmp_path, "held", MOST_AGE_S * 2), made(tmp_path, "b", MOST_AGE_S * 3)
    with lock(held.with_suffix(".used"), fcntl.LOCK_SH), lock(tmp_path / "b.lock", fcntl.LOCK_EX):
        assert prune(tmp_path) == (old,)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"young", "held", "b"}
    assert not list(tmp_path.glob("old*")) and (tmp_path / "failed.log").exists()
    assert set(prune(tmp_path)) == {held, building}
    assert young.exists()
    assert prune(tmp_path / "nowhere") == ()


def test_the_least_recently_used_go_beyond_a_number(tmp_path: Path) -> None:
    for number in range(MOST_KEPT + 2):
        made(tmp_path, f"e{number}", 60.0 * number)
    with ExitStack() as job:
        with unless_ready(tmp_path / f"e{MOST_KEPT + 1}", job) as is_ready:
            assert is_ready
        assert prune(tmp_path) == (tmp_path / f"e{MOST_KEPT - 1}", tmp_path / f"e{MOST_KEPT}")
    assert (tmp_path / f"e{MOST_KEPT + 1}").exists(), "it was used just now"


def test_a_job_that_comes_while_one_is_removed_builds_it_anew(tmp_path: Path) -> None:
    folder = made(tmp_path, "old", MOST_AGE_S + 60)
    assert prune(tmp_path) == (folder,)
    with ExitStack() as job:
        with unless_ready(folder, job) as is_ready:
            assert not is_ready
            folder.mkdir()
        with pytest.raises(BlockingIOError):
            lock(folder.with_suffix(".used"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock(folder.with_suffix(".used"), fcntl.LOCK_EX | fcntl.LOCK_NB).close()


def test_a_job_prunes_when_it_begins(project: Repository) -> None:
    old = made(project.folder / CACHE / "environments", "old", MOST_AGE_S + 60)
    log: list[str] = []
    checked_out(project, "HEAD", log=log)
    assert log == [f"removed {old}, which nobody used for long"] and not old.exists()


@pytest.mark.slow
def test_pip_makes_an_environment_where_there_is_no_uv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_environments.shutil, "which", lambda name: None)
    (tmp_path / "library").mkdir()
    (tmp_path / "requirements.txt").write_text("# nothing that needs a network\n")
    folder = tmp_path / "environment"
    engine_environments._build(folder, tmp_path / "requirements.txt", sys.executable, "x")
    (tmp_path / "said.py").write_text(BENCH.replace("import voice_library\n", ""))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert check_there("said:Engine", (str(folder),), []).versions["python"]
