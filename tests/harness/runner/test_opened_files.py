"""Whose files a process used: what the audit hook hears, what is mapped, what its programs hold."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.runner.opened_files import (
    ForeignFilesError,
    Opened,
    Territory,
)


@pytest.fixture
def heard() -> Iterator[Opened]:
    opened = Opened()
    opened.start()
    yield opened
    opened.stop()  # a hook cannot be removed


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Territory]:
    """A project, a tree of a revision inside of it, and the territory of that revision."""
    project, tree = tmp_path / "project", tmp_path / "project/.voxgate/job/trees/a"
    tree.mkdir(parents=True)
    for folder in (project, tree):
        (folder / "model.bin").write_text("weights")
        (folder / "run.sh").write_text("#!/bin/sh\nexit 0\n")
        (folder / "run.sh").chmod(0o755)
    return project, tree, Territory(project=(project,), own=(tree,))


def test_the_innermost_folder_counts(places: tuple[Path, Path, Territory]) -> None:
    project, tree, territory = places
    assert territory.foreign([str(tree / "model.bin"), "/etc/hostname"]) == ()
    assert territory.foreign([str(project / "model.bin"), str(project / "absent")]) == (
        str(project / "model.bin"),
    )
    now = Territory(project=(project, project / ".voxgate"), own=(project,))
    assert now.foreign([str(project / "model.bin"), str(tree / "model.bin")]) == (
        str(tree / "model.bin"),
    )
    assert from_json(Territory, to_json(now)) == now


def test_a_link_leads_to_the_file_that_is_used(
    places: tuple[Path, Path, Territory], heard: Opened
) -> None:
    project, tree, territory = places
    (tree / "link").symlink_to(project / "model.bin")
    (tree / "model.bin").read_text()
    heard.check(territory)
    (tree / "link").read_text()
    with pytest.raises(
        ForeignFilesError, match=rf"used {project}/model\.bin, which lies in the project but is not"
    ):
        heard.check(territory)


@pytest.mark.parametrize(
    "use",
    [
        lambda project: (project / "model.bin").read_bytes(),
        lambda project: os.close(os.open(project / "model.bin", os.O_RDONLY)),
        lambda project: subprocess.run([project / "run.sh"], check=True),
        lambda project: subprocess.run(["./run.sh"], cwd=project, check=True),
        lambda project: subprocess.run(["run.sh"], env={"PATH": f"/bin:{project}"}, check=True),
        lambda project: subprocess.run(
            ["/bin/cat", project / "model.bin"], check=True, capture_output=True
        ),
        lambda project: subprocess.run(
            ["/bin/echo", f"--model={project}/model.bin"], check=True, capture_output=True
        ),
        lambda project: subprocess.run(
            ["/bin/sh", "-c", f"cat '{project}/model.bin'"], check=True, capture_output=True
        ),
        lambda project: os.waitpid(os.posix_spawn(project / "run.sh", ["x"], {}), 0),
        lambda project: ctypes.CDLL(str(library(project))),
    ],
    ids=[
        "open",
        "os.open",
        "program",
        "relative",
        "on PATH",
        "argument",
        "option",
        "shell",
        "spawn",
        "library",
    ],
)
def test_every_way_to_a_file_is_heard(
    places: tuple[Path, Path, Territory], heard: Opened, use: object
) -> None:
    project, _, territory = places
    heard.check(territory)
    assert callable(use)
    use(project)
    with pytest.raises(ForeignFilesError, match=rf"used {project}/"):
        heard.check(territory)


def library(project: Path) -> Path:
    """Makes a shared library, of which the loader's table shows that it is mapped."""
    source, place = project / "empty.c", project / "libempty.so"
    source.write_text("int empty;")
    subprocess.run(
        ["gcc", "-shared", "-o", place, source],
        check=True,
        env={**os.environ, "TMPDIR": str(project.parent)},
    )
    source.unlink()
    return place


def test_a_program_that_lives_is_looked_at(
    places: tuple[Path, Path, Territory], heard: Opened
) -> None:
    project, _, territory = places
    code = (
        f"import sys; kept = open({str(project / 'model.bin')!r}); print('ready', flush=True); "
        "sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", "import runpy, sys; exec(sys.argv[1])", f"#\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    with pytest.raises(ForeignFilesError, match=r"model\.bin"):
        heard.check(territory)
    child.communicate()


def test_what_is_written_is_not_used_and_metadata_of_packages_is_nobodys(
    places: tuple[Path, Path, Territory], heard: Opened
) -> None:
    project, _, territory = places
    (project / "log.txt").write_text("written")
    (project / "voice.egg-info").mkdir()
    (project / "voice.egg-info/entry_points.txt").write_text("")
    (project / "voice.egg-info/entry_points.txt").read_text()
    heard.check(territory)


def test_after_its_stop_the_hook_hears_nothing(places: tuple[Path, Path, Territory]) -> None:
    project, _, territory = places
    opened = Opened()
    opened.start()
    opened.stop()
    (project / "model.bin").read_text()
    opened.check(territory)


def test_the_hook_costs_next_to_nothing_once_it_is_stopped() -> None:
    """
    In a process of its own, which no other test has given hooks; a synthesis of the embedded voice
    makes 16 events.
    """
    code = (
        "import sys, timeit; from voxgate.harness.runner.opened_files import Opened\n"
        "opened = Opened(); opened.start(); opened.stop()\n"
        "print(min(timeit.repeat(lambda: sys.audit('x'), number=2000, repeat=50)) / 2000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 5e-6
