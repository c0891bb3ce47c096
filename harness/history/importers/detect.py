"""
Import files and run folders: detect the format of a file, and read it with the right reader. Run
folders are judged.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from voxgate.harness.errors import HarnessError
from voxgate.harness.history import entry
from voxgate.harness.history.database import History
from voxgate.harness.history.dates import check_time
from voxgate.harness.history.importers import (
    asv,
    common,
    performance_history,
    pytest_benchmark,
    votes,
)
from voxgate.harness.history.importers.common import ImportFault
from voxgate.harness.history.records import Acknowledgement, HistoryEntry, Vote
from voxgate.harness.judging.judge_run import CheckInputs, judge_folder

Word = Literal["imported", "there already"]
"""For each run or vote of a file."""
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


def import_path(
    opened: History, path: Path, machine: str | None, baselines: Path, today: str
) -> Iterator[Word | ImportFault]:
    """
    Import a file, a run folder, or all run folders below one; yield a word for each run or vote, a
    fault for what failed.
    """
    try:
        folders = run_folders(path) or [path]
    except HarnessError as error:
        yield ImportFault(where=f"{path}", reason=str(error))
        return
    for each in folders:
        try:
            yield from _import_one(opened, each, machine, baselines, today)
        except HarnessError as error:
            yield ImportFault(where=f"{each}", reason=str(error))
        except common.FAULTS as error:  # nothing that a file holds may keep the others out
            yield ImportFault(where=f"{each}", reason=f"cannot be read ({error!r})")


def _import_one(
    opened: History, path: Path, machine: str | None, baselines: Path, today: str
) -> Iterator[Word | ImportFault]:
    found = _read_or_judge(path, machine, baselines)
    for each in found.entries:
        if isinstance(each, ImportFault):
            yield each if each.file else replace(each, where=f"{path}, {each.where}")
            continue
        try:
            check_time(each.created, today)
            yield "imported" if opened.append(each) else "there already"
        except HarnessError as error:
            yield ImportFault(
                where=f"{path}, run of {each.suite} at {each.created}", reason=str(error)
            )
    for word in found.acknowledgements:
        yield "imported" if opened.acknowledge(word) else "there already"
    answers = list(found.votes)
    new = opened.add_votes(answers) if answers else 0
    for number in range(len(answers)):
        yield "imported" if number < new else "there already"


def _read_or_judge(path: Path, machine: str | None, baselines: Path) -> Found:
    """Read a file, or judge a run folder as `voxgate gate` does."""
    if not (path / "run.json").is_file():
        return read(path, machine)
    judged = judge_folder(path, CheckInputs(baselines=baselines))
    return Found(entries=[entry.entry_of_run(judged.run, judged.measurements, judged.judgement)])


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
