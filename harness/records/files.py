"""
Write files whole or not at all, read strangers' files with care, and stay inside a folder: every
writer of the harness goes through this.

A file is drafted beside its place under a name of its own, brought to disk, and renamed; so a
reader, a crash and a full disk see the old file or the new one, and two writers at once do not
disturb each other. Knows no format and no folder.

In a folder that anybody may have made, only regular files of a bounded size are read, and nothing
that leads out of it: a link could name any file of this machine, a pipe would be waited for
forever, and a device answers without end. So nothing is opened unseen.
"""

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from voxgate.harness.errors import HarnessError

MOST_BYTES = 2**28
"""Of one file that is read whole: a process that measures for a day writes a tenth of it."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Of a file or folder that is named after something read from a file."""
DEVICES = ("/dev/", "/proc/")
BLOCK_BYTES = 1 << 20
PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags of every file that is opened: not for child processes, and on Windows bytes as they are."""
KEPT_OF_NAME = 40
"""
Characters of a file's name in its draft's name, so that a long name stays below the limit of file
systems.
"""


def write_atomic(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """
    Write a file whole or not at all; the permissions of an older one stay, a link is replaced and
    not followed.

    `durable`: it is on disk when this returns. Without, a power cut (no crash of ours) can leave
    less.

    What is no regular file (`/dev/stdout`, a pipe) cannot be replaced and is written to. Raises
    OSError.
    """
    data = content.encode() if isinstance(content, str) else content
    if _is_stream(path):
        with path.open("wb") as stream:
            stream.write(data)
        return
    draft = path.with_name(
        f".{path.name[:KEPT_OF_NAME]}.{os.getpid()}-{secrets.token_hex(4)}.draft"
    )
    try:
        _write_new(draft, data, _mode_of(path), durable=durable)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def write_file(
    path: Path,
    content: str | bytes,
    advice: str,
    *,
    what: str = "",
    parents: bool = False,
    durable: bool = True,
) -> None:
    """
    Write a file as `write_atomic` does; `parents`: make its folder if need be. Raises HarnessError
    ending in the advice.
    """
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content, durable=durable)
    except (OSError, ValueError) as error:  # the latter for a name with a null character
        raise HarnessError(f"cannot write {what}{path}: {reason(error)}; {advice}") from error


def reason(error: OSError | ValueError) -> str:
    """Return why the system refused, in its own words."""
    return (
        (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    )


def sync(folder: Path) -> None:
    """Bring a folder's names to disk, where the system has a call for it. Raises OSError."""
    handle = open_folder(folder)
    if handle is not None:
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def open_folder(folder: Path) -> int | None:
    """
    Open a folder, to lock it or to bring it to disk; None on Windows, which opens none. Raises
    OSError.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return None
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | PLAIN)


def close_folder(handle: int | None) -> None:
    """Close what `open_folder` opened, and so release its lock."""
    if handle is not None:
        os.close(handle)


def lock_folder(handle: int | None, *, wait: bool) -> None:
    """
    Lock an open folder for this process, until it is closed. Raises OSError where another process
    holds it, or the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        handle = None
    if handle is None:
        raise OSError(errno.ENOTSUP, "no folder can be locked here")
    fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def sync_tree(folder: Path) -> None:
    """Bring a folder to disk, with all files and folders in it. Raises OSError."""
    for inner, _, names in os.walk(folder, topdown=False):
        for path in (Path(inner) / name for name in names):
            if path.is_file() and not path.is_symlink():
                _sync(path)
        sync(Path(inner))


def copy_tree(source: Path, target: Path) -> None:
    """
    Make `target` a folder that holds what `source` holds, by hard links where the file system has
    them: to be changed only by `write_atomic` and by removing files. Links are kept as links.
    Raises OSError.
    """
    target.mkdir(parents=True)
    shutil.copymode(source, target)
    for entry in os.scandir(source):
        place = target / entry.name
        if entry.is_symlink():
            place.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            copy_tree(Path(entry.path), place)
        elif entry.is_file():
            link(Path(entry.path), place)


def link(source: Path, target: Path) -> None:
    """Create a hard link to a file; a copy where the file system has none. Raises OSError."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        if not source.is_file():
            raise
        _write_new(target, source.read_bytes(), _mode_of(source))


def inside(folder: Path, name: str | Path) -> Path:
    """
    Return the path of a file that something read from a file names, below `folder`.

    Raises HarnessError if it is outside, through `..`, an absolute path or a link.
    """
    path = folder / name
    try:
        root, real = folder.resolve(), path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise HarnessError(
            f"{str(name)!r} is no path below {folder}: {error}; correct it"
        ) from error
    if real == root or not real.is_relative_to(root):
        raise HarnessError(
            f"{str(name)!r} does not lie below {folder}; nothing is read or written there"
        )
    return path


def plain_name(name: str, what: str) -> str:
    """
    Return a name that may become the name of a file. Raises HarnessError for separators, `..` and
    anything unusual.
    """
    if not PLAIN_NAME.fullmatch(name):
        raise HarnessError(
            f"{what} {name[:80]!r} cannot name a file; use letters, digits, '.', '_' and '-'"
        )
    return name


def is_plain_name(name: str) -> bool:
    """Return whether `plain_name` accepts a name."""
    return PLAIN_NAME.fullmatch(name) is not None


def files_below(folder: Path) -> Iterator[Path]:
    """Return all files and links below a folder, in order; links to folders are not followed."""
    for inner, _, names in sorted(os.walk(folder)):
        yield from (Path(inner) / name for name in sorted(names))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | PLAIN)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_stream(path: Path) -> bool:
    if str(path.absolute()).startswith(DEVICES):
        return True
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


def _mode_of(path: Path) -> int | None:
    """Return the permissions of the file that is to be replaced; None where there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return stat.S_IMODE(status.st_mode) if stat.S_ISREG(status.st_mode) else None


def _write_new(path: Path, data: bytes, mode: int | None, *, durable: bool = True) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN, 0o666)
    try:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(handle, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


def files_sha256(*paths: Path) -> str:
    """Return the SHA-256 of the files' bytes one after the other, in hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hex."""
    return files_sha256(path)


def cache_folder() -> Path:
    """Return the user's cache of voxgate: `voxgate` below XDG_CACHE_HOME, or below ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "voxgate"


def short(path: Path) -> Path:
    """Return a path relative to the working directory where it lies below that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """
    Return a file's content.

    Raises OSError as opening does, and HarnessError for what is no regular file of that size.
    """
    _check_size(path, path.stat(), most)
    # it may have become a pipe meanwhile
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | PLAIN)
    with os.fdopen(handle, "rb") as file:
        _check_size(path, os.fstat(handle), most)
        return file.read(most)


def check_tree(paths: Iterable[Path]) -> None:
    """Raise HarnessError for a link, pipe or device among these paths, and all that lies below."""
    todo = list(paths)
    while todo:
        path = todo.pop()
        try:
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                todo.extend(path.iterdir())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise HarnessError(f"cannot read {path}: {error.strerror}") from error
        if stat.S_ISLNK(mode):
            raise HarnessError(
                f"{path} is a link; a run folder holds its own files, so copy the file to there"
            )
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise HarnessError(f"{path} is neither file nor folder; no voxgate made it, remove it")


def _check_size(path: Path, status: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, "Is a directory", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise HarnessError(f"{path} is no regular file; no voxgate made it, remove it")
    if status.st_size > most:
        raise HarnessError(
            f"{path} has {status.st_size} bytes, more than the {most} that are read; no voxgate "
            "made it"
        )
