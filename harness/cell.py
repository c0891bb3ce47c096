"""
A cell: one configuration of an engine x one workload. It knows no machine.

Its slug is the join key of everything that follows (samples, audio, measurements, baselines, reports); its digest says
whether two cells of that name really ask for the same.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from harness.errors import HarnessError

ENGLISH = "en"
Option = str | int | float | bool
"""A value of an engine option; whatever JSON can hold in one word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One text to be spoken: `id` is unique in its workload; options such as the speaker override the cell's."""

    id: str
    text: str
    options: Mapping[str, Option] = field(default_factory=dict)
    language: str = ENGLISH
    """Of the text, as ISO 639 code; no option of the engine."""
    statement: str | None = None
    """Of a question: the request that says the same words as a statement."""
    emphasis: str | None = None
    """The word of the text that is to be emphasised."""

    def marks(self) -> dict[str, str]:
        """Give what is said about the text, beside the text itself; empty for a plain English sentence."""
        said = {"language": self.language, "statement": self.statement, "emphasis": self.emphasis}
        return {name: value for name, value in said.items() if value is not None and (name, value) != ("language", ENGLISH)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A named list of requests."""

    name: str
    requests: tuple[Request, ...]
    voices: Mapping[str, str] = field(default_factory=dict)
    """Value of the option `speaker` -> path of a recording of that voice; in a run folder, relative to it."""

    def digest(self) -> str:
        """Identify what is asked, not how it is called, nor which recordings it is held against."""
        rows = [[r.id, r.text, dict(sorted(r.options.items())), *filter(None, [r.marks()])] for r in self.requests]
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """
    One configuration x one workload.

    `axes` are the options that this suite varies, with this cell's values; `fixed` are options that the suite sets for all
    its cells. What neither names is the target's own default, and that is on purpose: a default that changes is a change
    of the engine, and must be seen.
    """

    suite: str
    target: str
    pipeline: str
    workload: Workload
    axes: Mapping[str, Option]
    fixed: Mapping[str, Option] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Option]:
        """All options that are asked for."""
        return {**self.fixed, **self.axes}

    @property
    def slug(self) -> str:
        """Name the cell within its suite, `[a-z0-9._-]` only, axes in the suite's order: `nfe_steps-8.precision-bf16`."""
        named = ".".join(f"{name}-{_word(value)}" for name, value in self.axes.items())
        return named or "default"

    @property
    def label(self) -> str:
        """Name the cell for people: `nfe_steps=8 precision=bf16`."""
        return " ".join(f"{name}={_word(value)}" for name, value in self.axes.items()) or "default"

    def voice_of(self, request: Request) -> str | None:
        """Give the path of a recording of the voice that a request asks for; None where the workload names none."""
        speaker = {**self.options, **request.options}.get("speaker")
        return None if speaker is None else self.workload.voices.get(str(speaker))

    def digest(self) -> str:
        """Identify what is asked: target, pipeline, options, texts."""
        asked = [self.target, self.pipeline, self.workload.digest(), dict(sorted(self.options.items()))]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def _word(value: Option) -> str:
    """Name a value in a few letters: a file by its own name, nothing by "none"."""
    text = PurePosixPath(str(value)).name.lower() or "none"
    if not re.fullmatch(r"[a-z0-9._-]+", text):
        msg = f"axis value {value!r} cannot stand in a cell's name; use letters, digits, '.', '_' and '-'"
        raise HarnessError(msg)
    return text


def cell_to_json(cell: Cell) -> dict[str, object]:
    """Give the cell as plain JSON values."""
    requests = [{"id": r.id, "text": r.text, "options": dict(r.options), **r.marks()} for r in cell.workload.requests]
    voices = {"voices": dict(cell.workload.voices)} if cell.workload.voices else {}
    return {
        "suite": cell.suite,
        "target": cell.target,
        "pipeline": cell.pipeline,
        "workload": {"name": cell.workload.name, "requests": requests, **voices},
        "axes": dict(cell.axes),
        "fixed": dict(cell.fixed),
    }


def cell_from_json(data: Mapping[str, object]) -> Cell:
    """Read what `cell_to_json` gave."""
    workload = data["workload"]
    assert isinstance(workload, dict)
    requests = tuple(Request(**each) for each in workload["requests"])
    axes, fixed = data["axes"], data["fixed"]
    assert isinstance(axes, dict) and isinstance(fixed, dict)
    return Cell(
        suite=str(data["suite"]),
        target=str(data["target"]),
        pipeline=str(data["pipeline"]),
        workload=Workload(name=workload["name"], requests=requests, voices=workload.get("voices", {})),
        axes=axes,
        fixed=fixed,
    )
