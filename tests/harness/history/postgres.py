"""
A real PostgreSQL for the tests: Debian's, found where it installs itself, started on a Unix socket
in a folder of its own.

The server refuses to run as root, so root hands it to an unprivileged user. No port is opened.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT_OF_VERSIONS = Path("/usr/lib/postgresql")
START_S = 60
SETTINGS = (
    "fsync=off",
    "listen_addresses=",
    "max_connections=30",
    "shared_buffers=16MB",
    "log_min_messages=fatal",
)
"""fsync guards against a power cut, which no test makes; a killed client is another matter."""


def programs() -> Path | None:
    """Return the folder of the newest server that is installed."""
    found = sorted(ROOT_OF_VERSIONS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def why_not() -> str:
    """Return why there can be no server; empty where there can."""
    if programs() is None:
        return "no PostgreSQL in /usr/lib/postgresql; apt-get install postgresql"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return ""


@contextmanager
def running() -> Iterator[str]:
    """
    Starts a server; gives the URL of its maintenance database; stops it and leaves nothing behind.
    """
    folder = Path(tempfile.mkdtemp(prefix="voxgate-pg-"))
    try:
        if (owner := _unprivileged()) is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        _do(
            "initdb",
            "--pgdata",
            data,
            "--username=voxgate",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )
        settings = " ".join(
            f"-c {each}" for each in (*SETTINGS, f"unix_socket_directories={folder}")
        )
        _do(
            "pg_ctl",
            "start",
            "--pgdata",
            data,
            "--wait",
            f"--timeout={START_S}",
            "--log",
            folder / "log",
            "-o",
            settings,
        )
        try:
            yield url_of(folder, "postgres")
        finally:
            _do("pg_ctl", "stop", "--pgdata", data, "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def url_of(socket: Path | str, database: str) -> str:
    """Return the URL of a database of the server."""
    return f"postgresql+psycopg://voxgate@/{database}?host={socket}"


def _do(program: str, *arguments: object) -> None:
    found, owner = programs(), _unprivileged()
    assert found is not None
    as_user: dict[str, Any] = (
        {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    )
    done = subprocess.run(
        [str(found / program), *map(str, arguments)],
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if program == "initdb" else None,
        text=True,
        check=False,
        timeout=START_S,
        **as_user,
    )
    assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stderr}"


def _unprivileged() -> Any:
    """Return the user to run the server as, where we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
