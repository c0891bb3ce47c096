"""
One function writes all files: whole or not at all, with the old permissions, beside other writers;
and nothing else does.
"""

import ast
import errno
import os
import threading
from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.records import files
from voxgate.harness.records.files import copy_tree, inside, plain_name, write_atomic, write_file

ROOT = Path(__file__).parents[3] / "harness"
POINTS = ("open", "write", "fsync", "replace")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_bytes_are_written_in_a_folder_that_is_made(tmp_path: Path) -> None:
    write_file(tmp_path / "a/b.txt", "é\n", "x", parents=True)
    write_file(tmp_path / "a/b.bin", b"\x00", "x")
    assert (tmp_path / "a/b.txt").read_bytes() == "é\n".encode()
    assert (tmp_path / "a/b.bin").read_bytes() == b"\x00"
    assert names(tmp_path / "a") == ["b.bin", "b.txt"]


def test_permissions_stay_and_new_files_have_the_usual_ones(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    old = os.umask(0o022)
    try:
        write_atomic(path, "new")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    write_atomic(path, "newer")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("newer", 0o600)


@pytest.mark.parametrize("point", POINTS)
def test_whatever_fails_the_old_file_stays_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    real = getattr(os, point)

    def full(*arguments: object, **options: object) -> object:
        if point == "write":
            real(arguments[0], bytes(arguments[1])[:2])  # a disk with room for a few bytes
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, point, full)
    with pytest.raises(
        HarnessError, match=r"cannot write the page .*page.html: No space left on device; make room"
    ):
        write_file(path, "new", "make room", what="the page ")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["page.html"]


@pytest.mark.parametrize("parents", [False, True])
@pytest.mark.parametrize("target", ["folder", "folder/../file/x", "missing\0name", "x" * 300])
def test_a_place_that_cannot_be_written_is_one_error(
    tmp_path: Path, target: str, parents: bool
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/kept").touch()
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match="cannot write"):
        write_file(tmp_path / target, "new", "name another file", parents=parents)
    assert names(tmp_path / "folder") == ["kept"]
    assert names(tmp_path) == ["file", "folder"]


def test_a_long_name_has_a_draft_too(tmp_path: Path) -> None:
    write_atomic(tmp_path / ("ä" * 120), "new")
    assert (tmp_path / ("ä" * 120)).read_text() == "new"


def test_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path, texts = tmp_path / "page.html", [letter * 200_000 for letter in "abcdef"]
    seen: set[str] = set()

    def write(text: str) -> None:
        for _ in range(5):
            write_atomic(path, text, durable=False)
            seen.add(path.read_text())

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen <= set(texts)
    assert names(tmp_path) == ["page.html"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "page.html").symlink_to(tmp_path / "precious")
    write_atomic(tmp_path / "page.html", "new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "page.html").is_symlink()


def test_a_device_is_written_to_and_stays_a_device(tmp_path: Path) -> None:
    write_file(Path("/dev/null"), "new", "x")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_file(tmp_path / "pipe", "through", "x")
    assert os.read(reader, 100) == b"through"
    assert (tmp_path / "pipe").is_fifo()
    os.close(reader)


def test_standard_output_by_its_name_is_written_to(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        handle = os.open(tmp_path / "out.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(handle, 1)
        write_file(Path("/dev/stdout"), "shown", "x")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "out.txt").read_text() == "shown"
    assert Path("/dev/stdout").is_symlink()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", ".", "link/x", "a\0b"])
def test_a_name_that_leads_out_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(HarnessError):
        inside(folder, name)


def test_a_name_inside_is_given_though_the_folder_itself_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "here").symlink_to(tmp_path / "run")
    assert inside(tmp_path / "here", "audio/a/u.wav") == tmp_path / "here/audio/a/u.wav"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb", "a\0", "-x", "x" * 201, "ä"])
def test_a_name_that_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match=r"request .* cannot name a file"):
        plain_name(name, "request")


def test_a_copied_tree_shares_nothing_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "old/golden").mkdir(parents=True)
    (tmp_path / "old/golden/u.flac").write_text("old")
    copy_tree(tmp_path / "old", tmp_path / "new")
    write_atomic(tmp_path / "new/golden/u.flac", "new")
    assert (tmp_path / "old/golden/u.flac").read_text() == "old"


def test_without_hard_links_a_tree_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "old").mkdir()
    (tmp_path / "old/u.flac").write_text("old")
    copy_tree(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new/u.flac").read_text() == "old"


WRITING = {
    "write_text", "write_bytes", "copyfile", "copy2", "copytree", "mkstemp", "NamedTemporaryFile",
    "touch", "savefig", "to_csv",
    "to_parquet", "rename", "shutil.copy", "shutil.move", "json.dump", "image.save", "np.save",
    "np.savez",
    "soundfile.write",
}  # fmt: skip
"""
Names of functions that write, or may: each call of one in the harness goes through
`records/files.py`, or is one of ALLOWED.
"""
ALLOWED = {
    "records/files.py": "the one that writes",
    "selftest/channel_faults.py:_packed": "packs audio in memory, into a codec and out again",
    "judging/replace_folder.py": "moves folders into place that `records/files.py` wrote",
    "runner/process_files.py:WorkerLog.__init__": "appends records, each synced",
    "runner/process_files.py:cut_torn_line": "cuts an unfinished last line off a log",
    "runner/process_files.py:keep_interrupted": "renames a log that is whole",
    "runner/process_files.py:archive_process": "renames a log that is whole",
    "runner/run_folder.py:put_folder_away": "renames a folder that nobody reads any more",
    "runner/worker_process.py:WorkerProcess.__init__": "appends a worker's standard error",
    "targets/other_python/connection.py:EngineProcess._started": "appends an engine's errors",
    "targets/other_python/connection.py:EngineProcess._boot": "appends what it printed",
    "load/server.py:started": "appends what a server says on standard error",
    "load/records.py:CellLog.__init__": "appends readings of memory",
    "ci/gate.py:_append": "GitHub's summary file, which others append to as well",
    "targets/engine/conversion_observer.py:_changed": "a recording in its own folder",
    "targets/command/once.py:OneShot.speak": "the text for a program, in its own folder",
    "revisions/checkout.py": "locks",
    "revisions/environments.py": "environments, which nobody uses before the mark that they are "
    "ready, and the log of a build",
    "revisions/kept_environments.py": "locks, the mark that an environment is ready, and its end",
    "revisions/engine_environments.py": "environments, which nobody uses before they are ready",
    "revisions/commands.py:run": "the log of a build",
    "revisions/left_out.py:replace_pointers": "files of a worktree of ours",
    "revisions/left_out.py:take_changes": "files of a worktree of ours",
    "errors.py": "the report of an accident, when nothing of ours may be trusted any more",
    "runner/worker_channel.py:claim_stdout": "a pipe",
    "audio/files.py:_encoded": "into memory",
    "metrics/watermark.py:compressed": "into memory",
    "report/listening/utterance.py:encoded": "into memory",
    "report/listening/utterance.py:compressed": "into memory",
    "report/listening/pair_png.py:draw": "into memory",
    "report/comment_pictures.py:shifts_png": "into memory",
    "report/listening/spectrogram.py:_png": "into memory",
    "selftest/draw_quality.py:write_picture": "into memory",
    "history/exporters/otava.py:_csv": "into memory",
    "history/exporters/tables.py:parquet_bytes": "into memory",
    "history/exporters/tables.py:table_text": "into memory",
}


class Writers(ast.NodeVisitor):
    """Finds the calls of one file that write."""

    def __init__(self, name: str) -> None:
        self.name, self.stack, self.found = name, list[str](), list[str]()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._within(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        called = (
            function.attr
            if isinstance(function, ast.Attribute)
            else {"open": "open"}.get(getattr(function, "id", ""), "")
        )
        owner = getattr(getattr(function, "value", None), "id", "")
        if {called, f"{owner}.{called}"} & WRITING or (
            called in ("open", "fdopen") and _writes(node, owner, called)
        ):
            self.found.append(f"{self.name}:{'.'.join(self.stack)}")
        self.generic_visit(node)

    def _within(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        self.stack.append(node.name)
        self.generic_visit(node)
        self.stack.pop()


def _writes(node: ast.Call, owner: str, called: str) -> bool:
    """Whether a call of `open` may write: by its mode, or for `os.open` by its flags."""
    if (owner, called) == ("os", "open"):
        return any(flag in ast.dump(node) for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))
    words = [
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return any(word and set(word) <= set("rwaxbt+") and set(word) & set("wax+") for word in words)


def test_nothing_else_writes_files() -> None:
    found = set()
    for path in ROOT.rglob("*.py"):
        writers = Writers(path.relative_to(ROOT).as_posix())
        writers.visit(ast.parse(path.read_text()))
        found |= set(writers.found)

    def allowed(place: str) -> bool:
        return any(place == known or place.partition(":")[0] == known for known in ALLOWED)

    assert sorted(place for place in found if not allowed(place)) == []
    used = {
        known
        for known in ALLOWED
        if any(place == known or place.partition(":")[0] == known for place in found)
    }
    assert sorted(set(ALLOWED) - used) == []


def test_drafts_end_in_draft_and_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(
        files, "_write_new", lambda path, *_, **__: (seen.append(path.name), path.touch())
    )
    write_atomic(tmp_path / "page.html", "new", durable=False)
    write_atomic(tmp_path / "page.html", "new", durable=False)
    assert all(name.startswith(".page.html.") and name.endswith(".draft") for name in seen)
    assert len(set(seen)) == 2
