"""
Another process that writes: `python -m tests.harness.history.writer URL FIRST LAST [die]` appends
the runs of these nights.

It begins when it reads a line, so that several begin at once. With `die` it kills itself while it
writes the points of the last of them, as a power cut would: with no chance to tidy up.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from tests.harness.history.entries import entry
from voxgate.harness.history.database import open_history

OF_A_MONTH = 28


def night_of(number: int) -> int:
    return number % OF_A_MONTH + 1


def run_of(number: int) -> Any:
    return entry(night_of(number), digest=f"{number:064}", head=str(number))


def die_writing_points() -> None:
    @event.listens_for(Engine, "after_cursor_execute")
    def _(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO point"):
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    url, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()
    with open_history(url) as history:
        for number in range(first, last + 1):
            if number == last and "die" in sys.argv:
                die_writing_points()
            history.append(run_of(number))


if __name__ == "__main__":
    main()
