"""
Feeds inputs to the functions that read them, and keeps the smallest of those that are a fault.

What comes out must be a value, or a refusal: a HarnessError, an EngineError or a usage error of the
command line, in one line that names the file or the value. Anything else is a fault, also a second
of silence too many, and text of a stranger in a page that would run. Inputs follow from kind, seed
and number alone, so that every one can be made again.
"""

import hashlib
import json
import random
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import click

from voxgate.engine.errors import EngineError
from voxgate.harness.errors import HarnessError

CPU_S = 20.0
"""Of processor time, that one input may take."""
LINE_CHARACTERS = 20_000
SHRINK_TRIES = 400
REFUSALS = (HarnessError, EngineError, click.ClickException)
ROOT = Path(__file__).resolve().parents[2]


class Fuzzer(Protocol):
    """One kind of input."""

    name: ClassVar[str]
    share: ClassVar[float]
    """Of all inputs, relative to other kinds: what is quick to read gets more."""

    def make(self, chance: random.Random) -> bytes:
        """Return an input."""

    def read(self, content: bytes) -> None:
        """Read it as voxgate does; raises what that raises."""

    def names(self, refusal: str) -> bool:
        """Whether a refusal says what is refused."""


class FaultError(Exception):
    """What was read is a value, and a wrong one; `place` tells such faults apart."""

    def __init__(self, place: str, words: str) -> None:
        super().__init__(words)
        self.place = place


class TooLongError(BaseException):
    """An input takes longer than any may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, with the smallest input that was found to show it."""

    kind: str
    place: str
    """Where: file, function, kind of exception. Faults of one place are told once."""
    words: str
    first: bytes
    number: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the inputs of a kind."""

    kind: str
    seed: int
    inputs: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        faults = [
            {
                "place": each.place,
                "words": each.words,
                "first": each.first.decode("latin-1"),
                "number": each.number,
            }
            for each in self.faults
        ]
        numbers = {
            name: getattr(self, name)
            for name in ("kind", "seed", "inputs", "read", "refused", "seconds")
        }
        return {**numbers, "faults": faults, "counts": dict(self.counts)}


def fuzz(
    make: Callable[[Path], Fuzzer],
    seed: int,
    *,
    inputs: int | None = None,
    seconds: float | None = None,
    save: Path | None = None,
) -> Tally:
    """Feed so many inputs, or for so long; first inputs of faults are kept below `save`."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        fuzzer = make(Path(folder))
        tally, began = Tally(kind=fuzzer.name, seed=seed), time.perf_counter()
        while inputs is None or tally.inputs < inputs:
            if seconds is not None and time.perf_counter() - began > seconds:
                break
            content = fuzzer.make(chance_of(fuzzer.name, seed, tally.inputs))
            _count(tally, fuzzer, content, save)
        tally.seconds = time.perf_counter() - began
        close = getattr(fuzzer, "close", None)
        if close is not None:
            close()
    return tally


def chance_of(kind: str, seed: int, number: int) -> random.Random:
    """Return the chance that makes one input."""
    digest = hashlib.sha256(f"{kind} {seed} {number}".encode()).digest()
    return random.Random(digest)


def outcome(fuzzer: Fuzzer, content: bytes) -> tuple[str, str]:
    """Return `read` or `refused`, or where a fault is; and words to it."""
    try:
        with _limited():
            fuzzer.read(content)
    except REFUSALS as error:
        return _refusal(fuzzer, error)
    except FaultError as error:
        return error.place, str(error)
    except TooLongError as error:
        return f"too long at {_place(error)}", f"more than {CPU_S:g} s"
    except (Exception, SystemExit) as error:
        with suppress(Exception):
            return f"{type(error).__name__} at {_place(error)}", " ".join(str(error).split())[:300]
        return f"{type(error).__name__} at {_place(error)}", ""
    return "read", ""


def shrunk(fuzzer: Fuzzer, content: bytes, place: str) -> bytes:
    """Return a smaller input with the same fault."""
    left = SHRINK_TRIES
    size = max(1, len(content) // 2)
    while size and left > 0:
        at = 0
        while at < len(content) and left > 0:
            smaller = content[:at] + content[at + size :]
            left -= 1
            if outcome(fuzzer, smaller)[0] == place:
                content = smaller
            else:
                at += size
        size //= 2
    return content


def _count(tally: Tally, fuzzer: Fuzzer, content: bytes, save: Path | None) -> None:
    place, words = outcome(fuzzer, content)
    number, tally.inputs = tally.inputs, tally.inputs + 1
    if place in ("read", "refused"):
        setattr(tally, place, getattr(tally, place) + 1)
        return
    tally.counts[place] += 1
    if tally.counts[place] > 1:
        return
    first = shrunk(fuzzer, content, place)
    tally.faults.append(
        Fault(kind=tally.kind, place=place, words=words, first=first, number=number)
    )
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(place.encode()).hexdigest()[:8]
        (save / f"{tally.kind}-{name}.input").write_bytes(first)
        (save / f"{tally.kind}-{name}.json").write_text(
            json.dumps({"place": place, "words": words, "number": number})
        )


def _refusal(fuzzer: Fuzzer, error: BaseException) -> tuple[str, str]:
    """
    Look whether a refusal can be told: the command line puts it on one line, and it must say of
    what it is.
    """
    words = error.format_message() if isinstance(error, click.ClickException) else str(error)
    if not words.strip():
        return f"an empty refusal at {_place(error)}", ""
    if len(words) > LINE_CHARACTERS:
        return f"an endless refusal at {_place(error)}", words[:300]
    if not fuzzer.names(words):
        return f"a refusal that names nothing at {_place(error)}", words[:300]
    return "refused", ""


def _place(error: BaseException) -> str:
    """Name the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        each
        for each in frames
        if Path(each.filename).is_relative_to(ROOT) and "/.venv/" not in each.filename
    ]
    code = [each for each in ours if "/tests/" not in each.filename] or ours or list(frames)
    if not code:
        return "nowhere"
    path = Path(code[-1].filename)
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}, {code[-1].name}"


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TooLongError in what uses too much of the processor."""

    def stop(number: int, frame: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def check_harmless(text: str, canaries: Sequence[str]) -> None:
    """Raise FaultError where a page holds a canary as it was written: it would run."""
    for each in canaries:
        if each in text:
            at = text.index(each)
            raise FaultError(f"a canary in a page: {each}", text[max(0, at - 80) : at + 120])
