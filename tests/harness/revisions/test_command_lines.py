"""`voxgate ab` of a program of the repository: each side runs its own, or it is refused."""

import json
import sys
from pathlib import Path

import pytest

from tests.harness.repository import Repository
from tests.harness.targets.command.programs import HONEST, SPEECH
from voxgate.harness.cli.main import invoke
from voxgate.harness.records.run import Run
from voxgate.harness.runner.run_folder import load_run

SUITE = """
from voxgate import Suite
suite = Suite(target="command", command={command}, protocol="{protocol}", workload="two.toml",
              metrics=[], axes={{"seed": [1]}}, reference={{"seed": 1}},
              arguments={arguments})
"""
LOUDER = HONEST.replace("seed=", "pitch_hz=240, seed=")
WORDS = ["--text", "{text}", "--out", "{wav}"]


def script(code: str) -> str:
    return f"#!{sys.executable} -IS\n{SPEECH}\n{code}"


def write_suite(repository: Repository, *words: str, protocol: str = "once") -> None:
    arguments = {"seed": ["--seed", "{seed}"]} if protocol == "once" else {}
    text = SUITE.format(command=list(words), protocol=protocol, arguments=arguments)
    repository.write({"suites/say.py": text})


def write_program(repository: Repository, code: str, name: str = "mytts") -> None:
    repository.write({name: script(code)})
    (repository.folder / name).chmod(0o755)


def ab(capsys: pytest.CaptureFixture[str], *revisions: str) -> tuple[int, str]:
    capsys.readouterr()
    code = invoke(["ab", *revisions, "say", "--rounds", "2", "--budget", "0", "--json"])
    captured = capsys.readouterr()
    notes = json.loads(captured.out)["notes"] if captured.out else []
    return code, "\n".join([*notes, captured.err])


def sides() -> tuple[Run, Run]:
    return load_run(Path("runs/0001/base")), load_run(Path("runs/0001/head"))


def audio(run: Run) -> set[str]:
    return {sample.audio_sha256 for process in run.processes for sample in process.iterations}


def test_each_side_runs_the_program_of_its_own_tree(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(repository, HONEST)
    write_suite(repository, "./mytts", *WORDS)
    repository.commit("a program")
    write_program(repository, LOUDER)
    repository.commit("another voice")
    code, said = ab(capsys, "HEAD~1", "HEAD")
    assert code != 2, said
    base, head = sides()
    assert not audio(base) & audio(head)
    found = [str(run.processes[0].effective["program"]) for run in (base, head)]
    assert found[0] != found[1] and all(each.startswith("mytts (sha256 ") for each in found)
    assert f"BASE runs {found[0]}; HEAD runs {found[1]}" in said


def test_the_same_program_on_both_sides_is_told(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(repository, HONEST, "bin/say.py")
    write_suite(repository, sys.executable, "-IS", "bin/say.py", *WORDS)
    repository.commit("a script")
    repository.commit("nothing", {"notes.txt": "none"})
    code, said = ab(capsys, "HEAD~1", "HEAD")
    assert code != 2, said
    assert "both sides run " in said and "bin/say.py (sha256 " in said
    assert "the same, so that they can differ only in other files" in said


@pytest.mark.parametrize("place", ["outside", "path", "working tree"])
def test_a_program_that_is_not_the_revision_s_is_refused(
    repository: Repository, capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    write_program(repository, HONEST)
    (tmp_path / "elsewhere").write_text(script(HONEST))
    (tmp_path / "elsewhere").chmod(0o755)
    words = {
        "outside": str(tmp_path / "elsewhere"),
        "path": "sh",
        "working tree": str(repository.folder / "mytts"),
    }
    write_suite(repository, words[place], *WORDS)
    repository.commit("a program")
    code, said = ab(capsys, "HEAD", "HEAD")
    assert code == 2
    assert "which is no file of that revision, so two revisions cannot differ in it" in said
    assert not Path("runs/0001/base").exists()


def test_a_program_that_a_side_lacks_is_told_before_anything_is_measured(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write_suite(repository, "./mytts", *WORDS)
    first = repository.commit("no program yet")
    write_program(repository, HONEST)
    repository.commit("a program")
    code, said = ab(capsys, "HEAD~1", "HEAD")
    assert (code, first[:7] in said, "is no file in" in said) == (2, True, True), said


def test_another_command_line_makes_another_cell_and_the_difference_is_named(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(repository, HONEST)
    write_suite(repository, "./mytts", *WORDS)
    repository.commit("a program")
    write_suite(repository, "./mytts", "--new", *WORDS)
    repository.commit("another interface")
    capsys.readouterr()
    assert invoke(["ab", "HEAD~1", "HEAD", "say", "--rounds", "2", "--json"]) != 0
    captured = capsys.readouterr()
    assert "command was ./mytts --text" in captured.out + captured.err


def test_a_module_of_the_repository_is_each_side_s_own(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    write_program(repository, HONEST, "mypackage/__main__.py")
    write_suite(repository, sys.executable, "-m", "mypackage", *WORDS)
    repository.commit("a package")
    write_program(repository, LOUDER, "mypackage/__main__.py")
    repository.commit("another voice")
    code, said = ab(capsys, "HEAD~1", "HEAD")
    assert code != 2, said
    base, head = sides()
    assert not audio(base) & audio(head)
    assert "-m mypackage: mypackage is each side's own" in said
