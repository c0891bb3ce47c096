"""
A job of several runs in one folder: what it was begun for, so that an interrupted one is continued as just that.

    runs/0007/job.json    the verb, both commits, the suite and how to measure it

Knows the folder and what to tell people; what is still to be measured in it is for `resume.py` to find out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError
from harness.runner import run_folder

FILE = "job.json"

Facts = Mapping[str, object]
"""What a job is to do, as plain JSON values; `verb` says which command began it."""


class StoppedError(Exception):
    """A person stopped a job; the text is the command that continues it."""


@contextmanager
def continued_by(command: str) -> Iterator[None]:
    """Turn Ctrl-C into the word on how to go on: raises StoppedError in its place."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError(command) from error


def job_folder(root: Path, out: Path | None, facts: Facts, *, resume: bool) -> Path:
    """
    Give the folder of a job: a new one, `out` or the next free one below `root`; with `resume` one that was begun, `out` or
    the youngest of this verb.

    Raises HarnessError where a new one is in use, where there is nothing to resume, and where it was begun for anything else.
    """
    if resume:
        return _begun(_latest(root, facts) if out is None else out, facts)
    folder = run_folder.next_run_folder(root) if out is None else out
    if folder.exists() and any(folder.iterdir()):
        raise HarnessError(f"{folder} is in use; choose another --out, or continue what was begun there with --resume")
    return folder


def begin(folder: Path, facts: Facts) -> None:
    """Write down what a folder is for. Raises HarnessError if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run_folder.write_json(folder / FILE, facts)
    except OSError as error:
        raise HarnessError(f"cannot write to {folder}: {error.strerror}; choose another --out or make room") from error


def _latest(root: Path, facts: Facts) -> Path:
    folders = sorted((path for path in root.glob("[0-9]*") if path.name.isdigit()), key=lambda path: int(path.name))
    mine = [folder for folder in folders if (folder / FILE).is_file() and _facts(folder).get("verb") == facts["verb"]]
    if not mine:
        raise HarnessError(f"no {facts['verb']} below {root} to resume; begin one without --resume, or name it with --out")
    return mine[-1]


def _begun(folder: Path, facts: Facts) -> Path:
    before = _facts(folder)
    names = [name for name in dict.fromkeys([*before, *facts]) if before.get(name) != facts.get(name)]
    if names:
        differ = "; ".join(f"{name} {before.get(name)} against {facts.get(name)}" for name in names)
        raise HarnessError(f"{folder} cannot be resumed, it was begun otherwise ({differ}); start a new one")
    return folder


def _facts(folder: Path) -> Facts:
    return run_folder.read_json(folder / FILE, f"{folder} holds nothing to resume: it has no {FILE}; begin it without --resume")
