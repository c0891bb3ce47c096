"""What is built is what is installed: a wheel that works in an empty folder, and a whole sdist."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_architecture import ROOT

pytestmark = pytest.mark.slow
CELL = "nfe_steps-4"


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of what git knows."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    names = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    for kind in ("sdist", "wheel"):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(built)!r})"
        run(sys.executable, "-c", code, cwd=source)
    return built


@pytest.fixture(name="voxgate", scope="module")
def _voxgate(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment of its own, lent the packages of this one."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    (wheel,) = built.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", place / "bin/python")
    run(*pip, "install", "--quiet", "--no-deps", wheel, cwd=place)
    (site,) = place.glob("lib/python*/site-packages")
    lent = [path for path in sys.path if path.endswith("site-packages")]
    (site / "lent.pth").write_text("\n".join(lent))
    return place / "bin/voxgate"


def names_in(built: Path, ending: str) -> Iterator[str]:
    (path,) = built.glob(f"*{ending}")
    if ending == ".whl":
        yield from zipfile.ZipFile(path).namelist()
        return
    with tarfile.open(path) as archive:
        for name in archive.getnames():
            yield name.partition("/")[2]


def test_the_wheel_holds_the_packages_and_nothing_else(built: Path) -> None:
    names = set(names_in(built, ".whl"))
    tracked = run("git", "ls-files", "harness", "engine", "suites", cwd=ROOT).split()
    expected = {
        f"voxgate/{name.removeprefix('harness/package/')}"
        for name in tracked
        if (ROOT / name).is_file() and not name.endswith(".md")
    }

    assert {name for name in names if ".dist-info/" not in name and not name.endswith(".md")} == (
        expected
    )
    assert any(name.startswith("voxgate/engine/weights/arctic/") for name in names)


def test_the_sdist_builds_the_same(built: Path) -> None:
    names = set(names_in(built, ".tar.gz"))

    assert {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert {
        f"voxgate/{name.removeprefix('harness/package/')}"
        for name in names
        if name.startswith(("harness/", "engine/", "suites/")) and Path(name).suffix
    } == {name for name in names_in(built, ".whl") if ".dist-info/" not in name}


def test_it_works_in_an_empty_folder(voxgate: Path, tmp_path: Path) -> None:
    """Measured in one process and one pass: what is tried is the installation."""
    briefly = ("--only", CELL, "--repeats", "1", "--iterations", "1", "--budget", "0")

    assert run(voxgate, "--version", cwd=tmp_path).startswith("voxgate ")
    assert "NO_BASELINE" in run(voxgate, "check", "smoke", *briefly, cwd=tmp_path, code=3)
    assert "NO_BASELINE" in run(voxgate, "gate", "runs/0001", cwd=tmp_path, code=3)
