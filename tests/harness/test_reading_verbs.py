"""
Verbs that read a run need neither torch nor what scores, nor what only Linux has: they are tried in
a process from which all of it is taken away.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = '''"""Do fewer steps cost quality?"""
from voxgate import Suite

suite = Suite(target="scripted", pipeline="any", workload="two.toml", axes={"steps": [8, 4]}, reference={"steps": 8},
              fixed={"audio_s": 0.1}, repeats=1, iterations=2, metrics=["snr"])
'''  # noqa: E501
WORKLOAD = '[[request]]\nid = "r1"\ntext = "One."\n'
ENGINE = ("torch", "torchao", "safetensors", "onnx", "onnxruntime")
PANEL = ("whisper", "faster_whisper", "jiwer", "pesq", "pystoi", "speechmos", "swift_f0", "pyworld")
LINUX = ("fcntl", "resource", "pwd", "grp", "termios")
FUNCTIONS = (
    *("sched_getaffinity", "sched_setaffinity", "fork", "setsid", "killpg", "getpgid", "fchmod"),
    *("O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "O_NOFOLLOW", "getloadavg", "sysconf", "geteuid"),
)
WITHOUT = f"""
import importlib.machinery
import multiprocessing, os, psutil, signal, subprocess, sys  # psutil is another one elsewhere
ABSENT = {(*ENGINE, *PANEL, "pytest")!r}
find_spec = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = classmethod(
    lambda _, name, *more: None if name.partition(".")[0] in ABSENT else find_spec(name, *more)
)
for name in {LINUX!r}:
    sys.modules[name] = None
for name in {FUNCTIONS!r}:
    delattr(os, name)
del signal.SIGKILL
from voxgate.__main__ import main
main()
"""


def voxgate(
    folder: Path, *arguments: str, program: str = WITHOUT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run, measured and scored."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "suites").mkdir()
    (folder / "suites/two.py").write_text(SUITE)
    (folder / "two.toml").write_text(WORKLOAD)
    checked = voxgate(folder, "check", "two", program="from voxgate.__main__ import main; main()")
    assert checked.returncode == 3, checked.stderr
    return folder


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("--help",), 0),
        (("gate", "runs/0001"), 3),
        (("gate", "runs/0001", "--json"), 3),
        (("report", "runs/0001", "--out", "page.html"), 0),
        (("history", "list"), 0),
        (("history", "export", "csv"), 0),
        (("accept", "runs/0001", "--only", "quality", "--why", "it is the first"), 0),
    ],
)
def test_it_reads_without_torch_and_without_what_only_linux_has(
    project: Path, arguments: tuple[str, ...], code: int
) -> None:
    done = voxgate(project, *arguments)

    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in done.stderr
    if "--json" in arguments:
        assert json.loads(done.stdout)["verdict"] == "NO_BASELINE"


def test_the_pytest_plug_in_is_imported_without_torch(project: Path) -> None:
    program = WITHOUT.replace(', "pytest"', "").replace(", 'pytest'", "")
    program = program.replace("from voxgate.__main__ import main\nmain()", "import pytest")
    done = voxgate(project, program=program + "sys.exit(pytest.main(['--help']))")

    assert done.returncode == 0, done.stderr
    assert "--voxgate-strict" in done.stdout
