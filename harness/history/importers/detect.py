"""
Detect the format of a file, and read it with the right reader. Run folders are not read here: they
must be judged first.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.history import entry
from voxgate.harness.history.importers import (
    asv,
    common,
    performance_history,
    pytest_benchmark,
    votes,
)
from voxgate.harness.history.importers.common import ImportFault
from voxgate.harness.history.records import Acknowledgement, HistoryEntry, Vote

KINDS = (
    "a run folder, pytest-benchmark's JSON, asv's results folder, a performance_history.json, our "
    "own export, votes"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    The content of one file. `entries` are read lazily: a part that cannot be read is an
    ImportFault, and the others follow.
    """

    entries: Iterable[HistoryEntry | ImportFault] = ()
    acknowledgements: Iterable[Acknowledgement] = ()
    votes: Iterable[Vote] = ()


def run_folders(path: Path) -> list[Path]:
    """
    Return the run folders of a path: itself, or all below it. Empty for any other file or folder.
    """
    if (path / "run.json").is_file():
        return [path]
    try:
        return sorted(file.parent for file in path.glob("*/run.json"))
    except OSError as error:
        raise HarnessError(f"cannot look into {path}: {error.strerror}") from error


def read(path: Path, machine: str | None = None) -> Found:
    """
    Read a file that is no run folder; `machine` replaces the name in it. Raises HarnessError for an
    unknown format.
    """
    if path.is_dir():
        if asv.is_asv(path):
            return Found(entries=asv.entries(path, machine))
        raise HarnessError(f"nothing to import in folder {path}; expected {KINDS}")
    text = common.read_text(path)
    try:
        data = common.parse_json(text)
    except HarnessError:
        raise
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, Mapping) and (content := _known(data, machine)) is not None:
        return content
    if isinstance(data, Mapping) and "result_columns" in data:
        raise HarnessError(
            f"{path} is one file of asv; name the results folder, where benchmarks.json has the "
            "units"
        )
    try:
        return Found(
            entries=performance_history.entries(
                performance_history.parse(text), common.slug(path.stem), machine
            )
        )
    except HarnessError as error:
        raise HarnessError(
            f"{path} is no file that can be imported: {error}; expected {KINDS}"
        ) from error


def _known(data: Mapping[str, Any], machine: str | None) -> Found | None:
    """Read a file that names its format; None for another."""
    if pytest_benchmark.is_pytest_benchmark(data):
        return Found(entries=pytest_benchmark.entries(data, machine))
    schema = data.get("schema")
    if schema == votes.SCHEMA:
        return Found(votes=votes.votes(data))
    if schema == entry.SCHEMA:
        return _exported(data)
    if isinstance(schema, str) and schema.startswith("voxgate-"):
        raise HarnessError(
            f"this file has schema {schema}, this voxgate reads {entry.SCHEMA} and {votes.SCHEMA}; "
            "upgrade"
        )
    return None


def _exported(data: Mapping[str, Any]) -> Found:
    parts = [data.get(name) for name in ("runs", "acknowledgements", "votes")]
    if not all(isinstance(part, list) for part in parts):
        raise HarnessError(
            "this export lacks runs, acknowledgements or votes; export the history again"
        )
    runs, acknowledgements, answers = (
        [common.mapping(item) for item in part or ()] for part in parts
    )
    return Found(
        entries=_runs(runs),
        acknowledgements=[entry.acknowledgement_from_dict(item) for item in acknowledgements],
        votes=[entry.vote_from_dict(item) for item in answers],
    )


def _runs(documents: Iterable[Mapping[str, Any]]) -> Iterator[HistoryEntry | ImportFault]:
    for number, document in enumerate(documents, start=1):
        try:
            yield entry.entry_from_dict(document)
        except HarnessError as error:
            yield ImportFault(where=f"run {number}", reason=str(error))
