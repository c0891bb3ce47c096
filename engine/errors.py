"""
The one exception that the engine raises for a user's mistake: bad text, bad options, bad weights.

The outermost ring of `python -m engine`: what nobody foresaw is exit code 2, one line, and a file
that holds the traceback.

As the harness has it, of which the engine knows nothing. VOXGATE_DEBUG=1 leaves an exception as it
is.
"""

import errno
import os
import sys
import tempfile
import traceback

import click


class EngineError(ValueError):
    """Says in one line what is wrong, which value, and what would work."""


DEBUG = "VOXGATE_DEBUG"
WRONG, INTERRUPTED = 2, 130
OUTSIDE = (errno.EPIPE, errno.ENOSPC)
"""Whoever reads our output has left, or a disk is full: no mistake of ours."""
LINE_CHARACTERS = 400
"""Of an exception's own words; the file has all of them."""


def guarded(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for every failure, 130 for Ctrl-C."""
    try:
        return _run(command, sys.argv[1:] if arguments is None else arguments)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return INTERRUPTED
    except EngineError as error:
        _say(f"engine: {_one_line(str(error))}")
    except SystemExit as error:
        if error.code != WRONG:  # with which our own commands end, and have told why
            _say(f"engine: unexpected end of the process with code {error.code}")
    except Exception as error:
        if os.environ.get(DEBUG, "") not in ("", "0"):
            raise
        _say(f"engine: {_told(error)}")
    return WRONG


def _run(command: click.Command, arguments: list[str]) -> int:
    """
    Do as command.main does, which takes a torn file's EOFError for Ctrl-D, and ends with 1 where a
    pipe is broken.
    """
    try:
        with command.make_context("engine", arguments) as context:
            command.invoke(context)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG
    return 0


def _told(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in OUTSIDE:
        return f"{error.strerror}; what was to be written or told is incomplete"
    words = _one_line(str(error))[:LINE_CHARACTERS]
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return f"unexpected {said}; details: see {_log(error)} ({DEBUG}=1 shows them here)"


def _log(error: BaseException) -> str:
    """Write the traceback into the folder of temporary files, and return its name."""
    try:
        handle, path = tempfile.mkstemp(prefix="engine-crash-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as trouble:
        return f"nowhere, for no file could be written ({trouble.strerror})"
    return path


def _one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _say(line: str) -> None:
    """Write a line to standard error; where that is closed, too, there is nobody left to tell."""
    try:
        sys.stderr.write(line + "\n")
    except (OSError, AttributeError):
        return
