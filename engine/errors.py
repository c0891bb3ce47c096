"""
EngineError, the one exception for a user's mistake: bad text, bad options, bad weights.

`guarded` is the outermost handler of `python -m voxgate.engine`: an unexpected exception becomes
exit code 2, one line, and a file with the traceback. The harness has the same handler, which the
engine does not import. VOXGATE_DEBUG=1 re-raises an exception.
"""

import errno
import os
import sys
import tempfile
import traceback

import click


class EngineError(ValueError):
    """States in one line the mistake, the value, and a remedy."""


DEBUG = "VOXGATE_DEBUG"
FAILURE, INTERRUPTED = 2, 130
EXTERNAL_ERRNOS = (errno.EPIPE, errno.ENOSPC)
"""The reader of our output has exited, or a disk is full: no mistake of ours."""
MAX_MESSAGE_CHARACTERS = 400
"""Of an exception's message; the file has all of it."""


def guarded(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for every failure, 130 for Ctrl-C."""
    try:
        return _run(command, sys.argv[1:] if arguments is None else arguments)
    except (KeyboardInterrupt, click.Abort):
        _print_error("interrupted")
        return INTERRUPTED
    except EngineError as error:
        _print_error(f"engine: {_one_line(str(error))}")
    except SystemExit as error:
        if error.code != FAILURE:  # of our own commands, which have printed the reason
            _print_error(f"engine: unexpected end of the process with code {error.code}")
    except Exception as error:
        if os.environ.get(DEBUG, "") not in ("", "0"):
            raise
        _print_error(f"engine: {_describe(error)}")
    return FAILURE


def _run(command: click.Command, arguments: list[str]) -> int:
    """
    Run a command like command.main, which mistakes a torn file's EOFError for Ctrl-D and exits with
    1 where a pipe is broken.
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
        return FAILURE
    return 0


def _describe(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in EXTERNAL_ERRNOS:
        return f"{error.strerror}; what was to be written or told is incomplete"
    message = _one_line(str(error))[:MAX_MESSAGE_CHARACTERS]
    summary = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"unexpected {summary}; details: see {_log(error)} ({DEBUG}=1 shows them here)"


def _log(error: BaseException) -> str:
    """Write the traceback to a file in the folder of temporary files and return its path."""
    try:
        handle, path = tempfile.mkstemp(prefix="engine-crash-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as trouble:
        return f"nowhere, for no file could be written ({trouble.strerror})"
    return path


def _one_line(text: str) -> str:
    return " ".join(
        "".join(character if character.isprintable() else " " for character in text).split()
    )


def _print_error(line: str) -> None:
    """Write a line to standard error; do nothing if that is closed."""
    try:
        sys.stderr.write(line + "\n")
    except (OSError, AttributeError):
        return
