"""
No run folder, however made, is more than data: one line or a judgement; nothing is executed, read
or written elsewhere.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli.test_main import made_up
from tests.harness.hostile import DAMAGES, Place, copied, in_json, make_run, planted
from voxgate.harness.cli.main import invoke
from voxgate.harness.scoring import kept_scores

SECONDS = 30
"""A pipe that is waited for would wait forever."""


class Watch:
    """
    Notes files that are opened, and code that is executed, while it is on; a hook cannot be taken
    out again.
    """

    def __init__(self) -> None:
        self.on = False
        self.root = ""
        self.opened: set[tuple[str, bool]] = set()
        self.executed: set[str] = set()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
            if writes or path.startswith((self.root, "/etc")):
                self.opened.add((path, writes))
        elif event == "exec":
            name = getattr(arguments[0], "co_filename", "")
            if str(name).startswith(self.root):
                self.executed.add(str(name))
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            self.executed.add(f"{event} {arguments[0]}")


WATCH = Watch()
sys.addaudithook(WATCH)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return planted(tmp_path_factory.mktemp("hostile") / "stranger")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of one's own; whatever is not foreseen is raised, and waiting ends."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("VOXGATE_DEBUG", "1")
    monkeypatch.setattr(kept_scores, "score_run", made_up)
    WATCH.root, WATCH.opened, WATCH.executed = str(tmp_path), set(), set()
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(SECONDS)
    yield project
    signal.alarm(0)
    WATCH.on = False


def watched(arguments: list[str]) -> int:
    WATCH.on = True
    try:
        return invoke(arguments)
    finally:
        WATCH.on = False


COMMANDS = {
    "gate": ["gate", "RUN"],
    "report": ["report", "RUN", "--out", "pages"],
    "history": ["history", "import", "RUN", "--history", "sqlite:///history.sqlite"],
    "accept": ["accept", "RUN", "--why", "because", "--partial"],
}


def test_the_good_run_is_judged_by_every_command(
    stranger: Place, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {}
    for name, command in COMMANDS.items():
        place = copied(stranger, tmp_path / name)
        codes[name] = watched([str(place.run) if word == "RUN" else word for word in command])
        assert clean(place, project) == []
    assert codes == {"gate": 3, "report": 0, "history": 0, "accept": 0}, capsys.readouterr().err


@pytest.mark.parametrize("kind", DAMAGES)
def test_every_reading_command_refuses_in_one_line_or_judges(
    stranger: Place, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    damage, said = DAMAGES[kind]
    for number, (name, command) in enumerate(COMMANDS.items()):
        place = copied(stranger, tmp_path / f"stranger{number}")
        damage(place)
        code = watched([str(place.run) if word == "RUN" else word for word in command])
        told = capsys.readouterr()
        assert code in ((2,) if said is not None else (0, 1, 2, 3)), f"{name}: {told}"
        if code == 2:
            lines = told.err.splitlines()
            assert len(lines) == 1, told.err
            assert lines[0].isprintable()
            assert len(lines[0]) < 1200
            assert said is None or any(each in lines[0] for each in said.split("|")), (
                f"{name}: {lines[0]}"
            )
        assert clean(place, project) == [], name


def clean(place: Place, project: Path) -> list[str]:
    """Return all that was done beside reading the run and writing into it and into the project."""
    wrong = [*WATCH.executed, *(f"marker {place.marker}" for _ in range(place.marker.exists()))]
    inside = (f"{place.run.resolve()}/", f"{project.resolve()}/")
    allowed = ("/dev/null", str(place.run.resolve()))
    for path, writes in sorted(WATCH.opened):
        if (
            not path.startswith(inside)
            and path not in allowed
            and not path.startswith("/etc/ld.so")
        ):
            wrong.append(f"{'wrote' if writes else 'read'} {path}")
    WATCH.opened, WATCH.executed = set(), set()
    return wrong


def test_the_suites_of_the_working_directory_are_not_executed_to_judge(
    stranger: Place, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who judges a stranger's run may well stand in the stranger's folder."""
    place = copied(stranger, tmp_path / "stranger")
    monkeypatch.chdir(place.run.parents[1])
    assert (Path("suites") / "test.py").is_file()
    for command in COMMANDS.values():
        assert watched([str(place.run) if word == "RUN" else word for word in command]) in (0, 3)
    assert not place.marker.exists()
    assert not WATCH.executed


def test_a_run_that_is_not_complete_is_never_passed_and_says_so(
    stranger: Place, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = copied(stranger, tmp_path / "stranger")
    assert invoke(["accept", str(place.run), "--why", "first"]) == 0
    assert invoke(["gate", str(place.run)]) in (0, 3)
    capsys.readouterr()
    (place.run / "complete").unlink()
    assert invoke(["gate", str(place.run)]) == 3
    told = capsys.readouterr().out
    assert "the run is not complete; finish it with --resume" in " ".join(told.split())
    assert "PASS" not in told.splitlines()[-1]


def test_a_second_look_counts_for_the_run_that_it_belongs_to_alone(
    stranger: Place, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = copied(stranger, tmp_path / "stranger")
    make_run(place.run / "confirm")
    assert invoke(["gate", str(place.run)]) == 3
    for change in (
        ("suite", "other"),
        ("environment/machine/id", "another"),
        ("cells/1/fixed", {"seed": 1}),
    ):
        again = copied(stranger, tmp_path / f"stranger {change[0].replace('/', ' ')}")
        make_run(again.run / "confirm")
        in_json("confirm/run.json", *change)(again)
        capsys.readouterr()
        assert invoke(["gate", str(again.run)]) == 2
        assert "measured something else than" in capsys.readouterr().err
