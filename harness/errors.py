"""
The exception for a user's mistake, which the command line turns into exit code 2; and the outermost
layer of a command: whatever nobody foresaw is exit code 2, one line, and a file with the traceback.

Exit code 1 means that something regressed, so no accident may end with it. VOXGATE_DEBUG=1 leaves
an exception as it is. Needs the standard library alone: a missing package is one of the accidents.
"""

import errno
import io
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO


class HarnessError(ValueError):
    """A user's mistake, in one line: the fault, the value, and the next step."""


class SessionInterruptedError(Exception):
    """A person stopped a session; the text is the command that continues it."""


DEBUG = "VOXGATE_DEBUG"
"""Environment variable; anything but empty or 0 re-raises what was not foreseen."""
WRONG, INTERRUPTED = 2, 130
RUNS = Path("runs")
LINE_CHARACTERS = 400
"""Of an exception's own words; the file has all of them."""
LOG_CHARACTERS = 1_000_000


class Output(io.TextIOWrapper):
    """
    Standard output that remembers why it could not be written: whoever reads it has left, or its
    disk is full.
    """

    trouble = ""

    def write(self, text: str) -> int:
        """Write, and remember a failure."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._noted(error) from None

    def flush(self) -> None:
        """Write out, and remember a failure."""
        try:
            super().flush()
        except OSError as error:
            raise self._noted(error) from None

    def _noted(self, error: OSError) -> OSError:
        self.trouble = str(error.strerror or error)
        return error


def watched_output(stream: TextIO) -> TextIO:
    """
    Return a stream over the same file that remembers failures, and escapes bytes that are no text.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    encoding, by_line = stream.encoding, stream.line_buffering
    return Output(
        stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=by_line
    )


def guarded(name: str, call: Callable[[], int]) -> int:
    """Run a command and return its exit code: 2 for what it did not foresee, 130 for Ctrl-C."""
    output = sys.stdout
    try:
        code = call()
        _flush()
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except HarnessError as error:
        _say(f"{name}: {one_line(str(error))}")
        return WRONG
    except (Exception, SystemExit) as error:
        line = _foreseen(error, output)
        if not line and debugging():
            raise
        _say(f"{name}: {line or error_text(error)}")
        return WRONG
    return code


def _foreseen(error: BaseException, output: object) -> str:
    """
    Return one line where the reason lies outside of the program and needs no traceback; else empty.
    """
    if isinstance(output, Output) and output.trouble:
        _silence(1)
        return (
            f"standard output cannot be written ({output.trouble}); the result was not told in full"
        )
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"{error.strerror}: {one_line(str(error.filename))[:LINE_CHARACTERS]}; name another"
    return ""


def error_text(error: BaseException) -> str:
    """
    Return one line on an exception that was not foreseen, and keep its traceback in a file that the
    line names.
    """
    log = _log(error)
    where = "they could not be written to a file" if log is None else f"see {log}"
    return f"unexpected {_words(error)}; details: {where} ({DEBUG}=1 shows them here)"


def debugging() -> bool:
    """Whether a traceback is wanted."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def one_line(text: str) -> str:
    """Return a text on one line without what steers a terminal: it may quote a stranger's file."""
    return " ".join(
        "".join(character if character.isprintable() else " " for character in text).split()
    )


def without_passwords(text: str) -> str:
    """Replace what stands before the @ of an address."""
    return re.sub(r"[^\s:/@'\"]+:[^\s:/@][^\s@]*@", "***@", re.sub(r":/+\S*@", "://***@", text))


def _words(error: BaseException) -> str:
    """Name an exception and quote it; it may be unable to describe itself."""
    try:
        message = one_line(without_passwords(str(error)[:LOG_CHARACTERS]))
    except Exception:
        message = ""
    name = type(error).__name__
    if isinstance(error, SystemExit):
        return f"end of the process with code {message}"
    if isinstance(error, MemoryError):
        return f"{name}: memory ran out"
    return f"{name}: {message[:LINE_CHARACTERS]}" if message else name


def _log(error: BaseException) -> Path | None:
    """
    Write the traceback under runs/, or into the folder of temporary files; None where neither can
    be written.
    """
    text = "".join(traceback.format_exception(error))[-LOG_CHARACTERS:]
    content = without_passwords(f"{' '.join(map(repr, sys.argv))}\nPython {sys.version}\n\n{text}")
    for folder in _folders():
        try:
            handle, path = tempfile.mkstemp(prefix="crash-", suffix=".log", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(content)
        except OSError:
            continue
        return Path(path) if folder.is_absolute() else folder / Path(path).name
    return None


def _folders() -> Iterator[Path]:
    if RUNS.is_dir():
        yield RUNS
    try:
        yield Path(tempfile.gettempdir())
    except OSError:  # there is none that can be written
        return


def _flush() -> None:
    """Write out what was printed, while it can still be told that this failed."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _silence(number: int) -> None:
    """
    Send a file descriptor nowhere: the interpreter writes what is left when it ends, and would
    complain once more.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _say(line: str) -> None:
    """Write a line to standard error; where that is broken, too, there is nobody left to tell."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:
        _silence(2)
