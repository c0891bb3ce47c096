"""
What a side of `voxgate ab` measures is its revision's: files, programs, extension modules,
dependencies; or it fails.
"""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.harness.repository import TARGET, Repository
from voxgate.harness.cli.main import invoke
from voxgate.harness.runner import run_folder

READ = 'CHANGES = json.loads((Path(__file__).parent / "changes.json").read_text())'
EXTENSION = """
#include <Python.h>
static PyObject *factor(PyObject *self, PyObject *none) { return PyFloat_FromDouble(%s); }
static PyMethodDef methods[] = {{"factor", factor, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast_voice", "", -1, methods};
PyMODINIT_FUNC PyInit_fast_voice(void) { return PyModule_Create(&module); }
"""
SETUP = """
from setuptools import Extension, setup
setup(name="fast-voice", version="1", packages=[], ext_modules=[Extension("fast_voice", ["fast_voice.c"])])
"""  # noqa: E501


def target(changes: str) -> str:
    """An engine that learns how slow it is from an expression."""
    assert READ in TARGET
    return TARGET.replace(READ, f"CHANGES = {changes}")


def compare(
    capsys: pytest.CaptureFixture[str], base: str = "HEAD~1", head: str = "HEAD"
) -> tuple[int, dict[str, Any], str]:
    """Compares, and gives exit code, the one cell and what a person saw."""
    code = invoke(["ab", base, head, "two", "--only", "steps-8", "--rounds", "2", "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out)["cells"][0] if captured.out else {}, captured.err


def ratio(capsys: pytest.CaptureFixture[str], base: str = "HEAD~1", head: str = "HEAD") -> float:
    """
    Measures one round, and gives how many times as long HEAD takes; exact, as the clock is virtual.
    """
    code = invoke(["ab", base, head, "two", "--only", "steps-8", "--rounds", "1", "--budget", "0"])
    told = capsys.readouterr()
    assert code == 3, told
    return timed(max(Path("runs").iterdir()))


def timed(folder: Path) -> float:
    runs = [run_folder.load_run(folder / name) for name in ("base", "head")]
    before, now = (
        [each.wall_s for process in run.processes for each in process.iterations] for run in runs
    )
    return round(sum(now) / sum(before), 3)


def test_a_model_by_a_relative_path_is_the_revisions(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = '{"slower": 2.0}'
    repository.commit(
        "relative",
        {
            "voice/target.py": target('json.loads(Path("model.json").read_text())'),
            "model.json": "{}",
        },
    )
    repository.commit("slow model", {"model.json": slow})
    code, cell, _ = compare(capsys)
    assert (code, cell["verdict"]) == (1, "REGRESSED")
    repository.write({"model.json": "{}"})
    assert ratio(capsys, "HEAD", ".") == 0.5


def test_in_a_subfolder_a_relative_path_means_the_same_subfolder(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(
        "deep", {"voice/target.py": target('json.loads(Path("model.json").read_text())')}
    )
    repository.write({"deep/.gitignore": "runs/\n"})
    for name in ("voice", "suites", "two.toml"):
        repository.git("mv", name, f"deep/{name}")
    repository.commit("moved", {"deep/model.json": "{}", "model.json": '{"slower": 9.0}'})
    repository.commit("slow model", {"deep/model.json": '{"slower": 2.0}'})
    monkeypatch.chdir(repository.folder / "deep")
    assert ratio(capsys) == 2.0


@pytest.mark.parametrize("way", ["absolute", "link"])
def test_a_file_of_the_working_tree_fails_the_side_and_is_named(
    repository: Repository, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    model = repository.folder / "model.json"
    name = str(model) if way == "absolute" else "linked.json"
    if way == "link":
        (repository.folder / name).symlink_to(model)
    repository.commit(
        way,
        {"voice/target.py": target(f"json.loads(Path({name!r}).read_text())"), "model.json": "{}"},
    )
    code, cell, _ = compare(capsys, "HEAD", "HEAD")
    assert (code, cell["verdict"]) == (1, "FAILED")
    assert f"foreign files: used {model}" in cell["reason"]
    assert ratio(capsys, ".", ".") == 1.0, "of the working tree it is its own file"
    repository.commit("another")
    assert (
        invoke(
            [
                "bisect",
                "HEAD~1",
                "HEAD",
                "two",
                "--cell",
                "steps-8",
                "--rounds",
                "1",
                "--budget",
                "0",
            ]
        )
        == 1
    )
    assert f"GOOD and BAD could not be compared: foreign files: used {model}" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_module_that_is_found_in_the_working_tree_alone_fails_the_side(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pip install -e .` has it: the folder is on the path of every process."""
    repository.commit(
        "helper",
        {
            "voice/target.py": target('__import__("helper").CHANGES'),
            ".gitignore": "runs/\nhelper.py\n",
        },
    )
    repository.write({"helper.py": "CHANGES = {}"})
    monkeypatch.setenv("PYTHONPATH", str(repository.folder))
    code, cell, _ = compare(capsys, "HEAD", ".")
    assert (code, cell["verdict"]) == (1, "FAILED")
    assert (
        f"BASE cannot run this cell: foreign files: used {repository.folder / 'helper.py'}"
        in cell["reason"]
    )


def test_a_program_by_a_relative_path_is_the_revisions(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = (
        'json.loads(__import__("subprocess").run(["./mytts"], capture_output=True, '
        "check=True).stdout)"
    )
    repository.write({"mytts": "#!/bin/sh\necho '{}'\n"})
    (repository.folder / "mytts").chmod(0o755)
    repository.commit("program", {"voice/target.py": target(ask)})
    repository.commit("slow program", {"mytts": "#!/bin/sh\necho '{\"slower\": 1.5}'\n"})
    assert ratio(capsys) == 1.5
    repository.commit(
        "absolute", {"voice/target.py": target(ask.replace("./", f"{repository.folder}/"))}
    )
    code, cell, _ = compare(capsys, "HEAD", "HEAD")
    assert (code, f"foreign files: used {repository.folder / 'mytts'}" in cell["reason"]) == (
        1,
        True,
    )


def test_a_program_is_built_by_the_commands_of_its_revision(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    read = 'json.loads(Path("built.json").read_text())'
    build = (
        '[tool.voxgate]\nbuild = [["python", "-c", "import sys"], ["cp", "source.json", '
        '"built.json"]]\n'
    )
    files = {
        "voice/target.py": target(read),
        "source.json": "{}",
        ".gitignore": "runs/\nbuilt.json\n",
        "pyproject.toml": build,
    }
    repository.commit("built", files)
    repository.commit("slow source", {"source.json": '{"slower": 1.5}'})
    repository.write({"built.json": "{}"})
    assert ratio(capsys) == 1.5
    repository.commit("broken", {"pyproject.toml": build.replace("source.json", "absent.json")})
    code, _, seen = compare(capsys)
    assert (code, seen.count("\n")) == (2, 1), seen
    assert "HEAD cannot be measured" in seen
    assert "absent.json" in seen


def test_an_extension_module_is_built_from_each_revision(
    repository: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The user has an editable install, whose compiled module lies in the working tree and would serve
    both sides.
    """
    project = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    ignored = "runs/\nbuild/\n*.so\n*.egg-info/\n"
    files = {
        "setup.py": SETUP,
        "pyproject.toml": project,
        ".gitignore": ignored,
        "fast_voice.c": EXTENSION % "1.0",
    }
    repository.commit(
        "extension",
        {**files, "voice/target.py": target('{"slower": __import__("fast_voice").factor()}')},
    )
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(build, cwd=repository.folder, check=True, capture_output=True)
    assert (repository.folder / f"fast_voice{sysconfig.get_config_var('EXT_SUFFIX')}").is_file()
    monkeypatch.setenv("PYTHONPATH", str(repository.folder))
    repository.commit("slow", {"fast_voice.c": EXTENSION % "1.5"})
    assert ratio(capsys) == 1.5
    repository.write({"fast_voice.c": EXTENSION % "3.0"})
    assert ratio(capsys, "HEAD", ".") == 2.0
    built = list((repository.folder / ".voxgate/environments").glob("*/ready"))
    assert len(built) == 3, "HEAD's served twice"
    assert repository.git("status", "--porcelain") == "M fast_voice.c"


def test_what_is_not_in_git_is_shared_where_the_project_says_so(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    read = target('json.loads(Path("models/voice.json").read_text())')
    repository.commit("ignored", {"voice/target.py": read, ".gitignore": "runs/\nmodels/\n"})
    repository.write({"models/voice.json": "{}"})
    code, cell, _ = compare(capsys, "HEAD", ".")
    assert (code, cell["verdict"]) == (1, "FAILED")
    assert cell["reason"].startswith("BASE cannot run this cell: refused: ")
    assert "cannot be imported: FileNotFoundError" in cell["reason"]
    repository.write({"pyproject.toml": '[tool.voxgate]\nshared = ["models", "two.toml"]\n'})
    code, cell, seen = compare(capsys, "HEAD", ".")
    assert (code, cell["verdict"]) == (0, "PASS")
    assert "BASE takes models from the working tree, as [tool.voxgate] shared says" in seen
    assert (repository.folder / "models/voice.json").exists()


def wheel(folder: Path, version: str, factor: str) -> None:
    """Makes a package of one module."""
    import zipfile

    with zipfile.ZipFile(folder / f"tuning-{version}-py3-none-any.whl", "w") as file:
        file.writestr("tuning.py", f"FACTOR = {factor}\n")
        info = f"tuning-{version}.dist-info"
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tuning\nVersion: {version}\n"
        )
        file.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(f"{info}/RECORD", "")


def test_a_changed_dependency_is_installed_for_its_side(
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for version, factor in (("1.0", "1.0"), ("2.0", "1.5")):
        wheel(tmp_path, version, factor)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    project = '[project]\nname = "voice"\nversion = "1"\ndependencies = ["numpy", "tuning==%s"]\n'
    engine = target('{"slower": __import__("tuning").FACTOR}')
    repository.commit("before", {"voice/target.py": engine, "pyproject.toml": project % "1.0"})
    repository.commit("bump", {"pyproject.toml": project % "2.0"})
    assert (
        invoke(
            ["ab", "HEAD~1", "HEAD", "two", "--only", "steps-8", "--rounds", "1", "--budget", "0"]
        )
        == 3
    )
    seen = capsys.readouterr().err
    assert timed(max(Path("runs").iterdir())) == 1.5
    assert "has other dependencies; building its environment" in seen
    assert "requires tuning==2.0 (not installed); building its environment" in seen
    repository.commit("nowhere", {"pyproject.toml": project % "3.0"})
    code, _, seen = compare(capsys)
    assert (code, "HEAD cannot be measured" in seen, "tuning==3.0" in seen) == (2, True, True), seen
