"""
The folder `.voxgate/environments`: who builds one, who uses one, and which are old enough to go.

    <digest>          an environment; `ready` in it is touched whenever it is used
    <digest>.lock     held alone by whoever builds or removes it
    <digest>.used     held together by all jobs that use it, until they end; alone by who removes it
    <digest>.log      the words of a build that failed

Nothing that a job holds is removed, so any number of jobs may run and prune at once.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from voxgate.harness.machine.clock import unix_s

MOST_AGE_S = 30 * 86_400.0
MOST_KEPT = 20


def lock(path: Path, kind: int) -> TextIO:
    """
    Open and lock a file; raises BlockingIOError with LOCK_NB. It is the file of that name also when
    the lock is got: another may have removed it meanwhile.
    """
    while True:
        door = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(door, kind)
            with suppress(OSError):
                if os.fstat(door.fileno()).st_ino == path.stat().st_ino:
                    return door
        except OSError:
            door.close()
            raise
        door.close()


@contextmanager
def unless_ready(folder: Path, held: ExitStack) -> Iterator[bool]:
    """
    Keep other jobs from building the same environment, and from removing it until `held` is closed;
    tells whether it is there, and marks it as ready in the end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    held.enter_context(lock(folder.with_suffix(".used"), fcntl.LOCK_SH))
    with lock(folder.with_suffix(".lock"), fcntl.LOCK_EX):
        is_ready = (folder / "ready").exists()
        yield is_ready
        (folder / "ready").touch()


def prune(environments: Path, now_s: float | None = None) -> tuple[Path, ...]:
    """
    Remove the environments that nobody used for 30 days, and the least recently used beyond 20;
    those in use stay. Return what was removed.
    """
    now_s = unix_s() if now_s is None else now_s
    names = {path.stem for path in environments.glob("*")} if environments.is_dir() else set()
    used_s = {name: _last_use_s(environments / name) for name in names}
    kept = sorted(names, key=lambda name: used_s[name], reverse=True)
    old = [
        environments / name
        for rank, name in enumerate(kept)
        if rank >= MOST_KEPT or now_s - used_s[name] > MOST_AGE_S
    ]
    return tuple(folder for folder in old if _removed(folder))


def _last_use_s(folder: Path) -> float:
    """Return when an environment was last used; of one that is not ready, when it was begun."""
    times_s = [0.0]
    for path in (folder / "ready", folder, folder.with_suffix(".log")):
        with suppress(OSError):
            times_s.append(path.stat().st_mtime)
            if path.name == "ready":
                break
    return max(times_s)


def _removed(folder: Path) -> bool:
    """Remove an environment and its files, unless somebody builds or uses it."""
    alone = fcntl.LOCK_EX | fcntl.LOCK_NB
    paths = [folder.with_suffix(ending) for ending in (".used", ".lock")]
    with ExitStack() as doors:
        try:
            for path in paths:
                doors.enter_context(lock(path, alone))
        except OSError:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        for path in (folder.with_suffix(".log"), *paths):
            path.unlink(missing_ok=True)
    return True
