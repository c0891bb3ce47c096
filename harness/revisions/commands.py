"""
Run the commands of a build without a shell.
"""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from voxgate.harness.errors import HarnessError

TIMEOUT_S = 3600.0
"""For one command; installing an engine's dependencies over a slow line takes that long."""


def run(
    command: Sequence[str],
    what: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """
    Run a command and return its output.

    Raises HarnessError that begins with `what` and ends with the last line of its errors, or names
    the file `log` that gets all of them.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{what}: {error}; try `{shlex.join(command)}` by hand") from error
    if done.returncode and log is not None:
        log.write_text(f"{shlex.join(command)}\n{done.stdout}{done.stderr}", encoding="utf-8")
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no last words"])[-1]
        more = (
            f"try `{shlex.join(command)}` by hand" if log is None else f"what it said is in {log}"
        )
        raise HarnessError(f"{what}: {words}; {more}")
    return done.stdout
