"""
A process that keeps one core busy: `python -m voxgate.harness.selftest.cpu_load PID`, until that
process has ended.

It is not bound to a core: the system places and moves it as any other process. Measures nothing.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from voxgate.harness.machine.profiles import threads_env

EDGE = 512
"""
Three matrices of 2 MiB: more than a core's own cache, so that the neighbour is felt in the shared
one too.
"""


@contextmanager
def neighbour(wanted: bool) -> Iterator[None]:
    """Run a busy process for the duration of the block, if `wanted`."""
    if not wanted:
        yield
        return
    command = [sys.executable, "-m", "voxgate.harness.selftest.cpu_load", str(os.getpid())]
    with subprocess.Popen(
        command, env={**os.environ, **threads_env(1)}, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            process.kill()


def main(arguments: list[str]) -> int:
    """Compute until the process named by its id is no longer our parent."""
    parent = int(arguments[0])
    matrix = np.full((EDGE, EDGE), 1.0 / EDGE)
    while os.getppid() == parent:
        matrix = matrix @ matrix
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
