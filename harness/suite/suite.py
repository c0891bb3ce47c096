"""
A suite: a question about an engine, as axes x workload, and its expansion into cells.

Knows no engine, no metric and no machine: whether an option exists is the target's business
(`targets.registry.check_cells`), whether a metric or a judge does the panel's
(`metrics.registry.check_selection`, `scoring.transcription.recognizer_options`).
"""

import itertools
import os
import runpy
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import NAME, Cell, Option, Workload
from voxgate.harness.records.run import OPENAI
from voxgate.harness.suite.suite_checks import (
    COMMAND,
    ENGINE,
    check_suite,
    command_of,
    exclusions,
)
from voxgate.harness.suite.workload import load_workload

FOLDER = "suites"
PIPELINES = {"http": "speech", "flite": "flite"}
"""Built-in target -> its only pipeline; without a name, that of another's target is `any`."""
INSTALLED = Path(__file__).parents[2]
"""Holds the suites of the embedded voice: voxgate's folder, or where it is developed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """
    Result of expanding a suite: its cells, the excluded ones (label -> reason), and the slug of the
    reference cell.
    """

    cells: tuple[Cell, ...]
    excluded: Mapping[str, str]
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """
    A question about an engine.

    The cells are the product of `axes`, less those that match an entry of `without`, plus the
    chosen `cells`. An entry of `without` names some axis values and its reason:
    `{"nfe_steps": 4, "because": "never shipped"}`; `because=` gives the reason of the entries that
    have none. `repeats` counts fresh processes per cell, `iterations` the passes through the
    workload that each of them measures; a process that has measured for less than `min_time_s` then
    adds whole passes. `budget_s` is the wall time that a request may take, 0 for any: each cell
    shows whether its median does. `metrics` chooses what is scored of the audio, by name (all that
    apply, if not given); `conditions` such as "telephone" have it scored as heard that way as well;
    `judge` names who writes down what is said, or is the path of a Whisper; `models` are files of
    networks of your own that score it. `environment` is where a Python target runs, if that is not
    voxgate's own: the folder of a virtual environment, a conda environment or a uv project, or the
    words that start an interpreter. `name` and `question` come from the file (`load_suite`).

    `sampled` declares that the engine draws what it speaks, so that another seed is another take:
    each text is then spoken `takes` times (5), with seeds that follow each other, and judged as two
    sets of takes, without metrics that need the very same performance. None leaves it to the
    target's own declaration; False holds one take against another all the same.

    With `target="command"` the engine is a program: `command` holds its words, `arguments` those of
    options that may be unset, and `protocol` is "once" (a process for each text) or "lines" (one
    that stays alive).

    Raises HarnessError for everything that cannot be meant.
    """

    pipeline: str = ""
    workload: str
    reference: Mapping[str, Option] | None = None
    axes: Mapping[str, Sequence[Option]] = field(default_factory=dict)
    cells: Sequence[Mapping[str, Option]] = ()
    fixed: Mapping[str, Option] = field(default_factory=dict)
    without: Mapping[str, Option] | Sequence[Mapping[str, Option]] = ()
    because: str = ""
    target: str = ENGINE
    command: Sequence[str] = ()
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    protocol: str = "once"
    environment: str | Sequence[str] = ()
    sampled: bool | None = None
    takes: int | None = None
    repeats: int = 3
    iterations: int = 1
    min_time_s: float = 0.0
    budget_s: float = 0.0
    metrics: Sequence[str] | None = None
    conditions: Sequence[str] = ()
    judge: str = OPENAI
    models: Mapping[str, object] = field(default_factory=dict)
    name: str = ""
    question: str = ""

    def __post_init__(self) -> None:
        check_suite(self)

    def expand(self, root: Path | None = None) -> Expansion:
        """
        Return the cells in the suite's order; `root` is the project's folder, if it is not the
        working directory.

        Raises HarnessError if the workload is unknown or the reference is no cell.
        """
        workload = load_workload(self.workload, root)
        rules = exclusions(self)
        combinations: list[dict[str, Option]] = []
        excluded: dict[str, str] = {}
        used: set[int] = set()
        for values in _product(self.axes):
            rule = next((n for n, (m, _) in enumerate(rules) if m.items() <= values.items()), None)
            if rule is None:
                combinations.append(values)
            else:
                used.add(rule)
                excluded[self._cell(values, workload).label] = rules[rule][1]
        unused = [match for index, (match, _) in enumerate(rules) if index not in used]
        if unused:
            raise HarnessError(
                f"without={unused[0]!r} leaves nothing out; correct its values or remove it"
            )
        cells = tuple(
            self._cell(values, workload)
            for values in [*combinations, *_in_order(self.cells, self.axes)]
        )
        command = command_of(self)
        if command is not None:
            requests = [request.options for request in workload.requests]
            command.check_cells([cell.options for cell in cells], requests)
        return Expansion(
            cells=_distinct(cells), excluded=excluded, reference=self._reference(cells)
        )

    def _cell(self, values: Mapping[str, Option], workload: Workload) -> Cell:
        return Cell(
            suite=self.name,
            target=self.target,
            pipeline=self.pipeline or self._default_pipeline(),
            workload=workload,
            axes=dict(values),
            fixed=dict(self.fixed),
            command=command_of(self),
            environment=_words(self.environment),
        )

    def _default_pipeline(self) -> str:
        """Return the pipeline of a suite that names none."""
        if self.target == COMMAND:
            return self.protocol
        return PIPELINES.get(self.target, "any")

    def _reference(self, cells: tuple[Cell, ...]) -> str:
        if not cells:
            raise HarnessError("without= leaves out every cell; keep one")
        if self.reference is None:
            return next((cell for cell in cells if not cell.axes), cells[0]).slug
        for cell in cells:
            if dict(cell.axes) == dict(self.reference):
                return cell.slug
        labels = "; ".join(cell.label for cell in cells)
        raise HarnessError(
            f"reference={dict(self.reference)!r} is none of the suite's cells, which are: {labels}"
        )


def load_suite(name_or_path: str | Path, root: Path | None = None) -> Suite:
    """
    Read `suites/<name>.py` below `root` (the working directory, if none is given), or the file at a
    path; a root without suites has those of the embedded voice.

    Raises HarnessError if there is none, if the file cannot be run (with file and line), or if it
    defines no `suite`.
    """
    path = _find(str(name_or_path), root or Path())
    try:
        names = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise HarnessError(f"{_where(error, path)}: {_what(error)}") from error
    suite = names.get("suite")
    if not isinstance(suite, Suite):
        raise HarnessError(f"{path} must define `suite = Suite(...)`; it defines suite = {suite!r}")
    question = (names.get("__doc__") or "").strip()
    name = suite.name or path.stem
    if (fault := NAME.fault(name)) is not None:  # no run of it could be read again
        raise HarnessError(
            f"{path}: the suite's name {name!r} {fault}; rename the file, or give name="
        )
    return replace(suite, name=name, question=suite.question or question)


def known_suites(root: Path | None = None) -> tuple[str, ...]:
    """Name the suites below `root`, or the working directory."""
    files = ((root or Path()) / FOLDER).glob("*.py")
    return tuple(sorted(path.stem for path in files if not path.stem.startswith(("_", "conftest"))))


def has_suite(name_or_path: str, root: Path) -> bool:
    """Whether there is such a suite below `root`."""
    return os.path.isfile(_path(name_or_path, root))  # noqa: PTH113 - Path.is_file raises for a long name


def _installed(root: Path) -> tuple[Path, ...]:
    """
    Name where the embedded voice's suites are installed, for a folder that has no suites of its
    own: so `voxgate check smoke` works anywhere, and a slip of the pen never measures that voice.
    """
    return () if (root / FOLDER).exists() else (INSTALLED,)


def _path(name: str, root: Path) -> Path:
    return root / name if name.endswith(".py") else root / FOLDER / f"{name}.py"


def _find(name: str, root: Path) -> Path:
    for place in (root, *_installed(root)):
        if has_suite(name, place):
            return _path(name, place)
    held = (root / FOLDER).absolute()
    none = f"none ({held} holds no suites); voxgate init writes one"
    raise HarnessError(f"unknown suite {name!r}; known are {', '.join(known_suites(root)) or none}")


def _where(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"{path}:{error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _what(error: BaseException) -> str:
    if isinstance(error, HarnessError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"not valid Python: {error.msg}"
    return f"{type(error).__name__}: {error}"


def _words(environment: str | Sequence[str]) -> tuple[str, ...]:
    """Return the words of an environment; a folder or a name is one, and none is voxgate's own."""
    if isinstance(environment, str):
        return (environment,) if environment else ()
    return tuple(environment)


def _product(axes: Mapping[str, Sequence[Option]]) -> list[dict[str, Option]]:
    if not axes:
        return []
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _in_order(
    cells: Sequence[Mapping[str, Option]], axes: Mapping[str, object]
) -> list[dict[str, Option]]:
    """Name options in the order of their first appearance, so that slugs read alike."""
    order = list(dict.fromkeys([*axes, *itertools.chain.from_iterable(cells)]))
    return [{name: cell[name] for name in order if name in cell} for cell in cells]


def _distinct(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    slugs = [cell.slug for cell in cells]
    twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
    if twice:
        raise HarnessError(f"the suite asks for these cells more than once: {', '.join(twice)}")
    return cells
