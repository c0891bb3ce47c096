"""
The page of scored corpora as one HTML file: the tables, and a player of the worst recordings.

Style, script and sounds are inlined; every text is escaped by the template engine. The sounds are
those of the folders that were just scored; of saved scores there is nothing to hear.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.harness.corpora.corpus import RecordedCorpus
from voxgate.harness.corpora.preference import Ranking
from voxgate.harness.corpora.scores import ScoredUtterance
from voxgate.harness.corpora.systems import ScoreReport
from voxgate.harness.records.cell import Request
from voxgate.harness.records.files import write_file
from voxgate.harness.records.measurement import Missing
from voxgate.harness.report.corpora import (
    ComparedRow,
    SummaryRow,
    WorstUtterance,
    common_lines,
    compared_rows,
    coverage_lines,
    ranking_line,
    strength_text,
    summary_rows,
    worst_first,
)
from voxgate.harness.report.html import standalone
from voxgate.harness.runner.recordings import KeptAudio, Take, read_take

if TYPE_CHECKING:
    from voxgate.harness.report.listening.player import Player

MOST_ROWS = 100
"""Recordings in the table of the worst; all of them stand in the CSV."""
MOST_ASKED = 40
"""Texts of the blind test."""
REFERENCE = "reference"
NO_SUCH_TEXT = Missing("it has no recording of this text")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePage:
    """Contents of the page."""

    title: str
    line: str
    remarks: tuple[str, ...]
    systems: tuple["SystemSection", ...]
    comparisons: tuple["ComparisonSection", ...]
    ranking: tuple[tuple[str, str, str, str], ...]
    ranking_line: str
    player: "Player | None"
    heard_system: int
    """The system whose recordings are played, from 1 on."""

    @property
    def heard(self) -> frozenset[str]:
        """The names of the recordings that are embedded."""
        return frozenset() if self.player is None else frozenset(v.id for v in self.player.views)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSection:
    """One corpus: its coverage, its metrics, and its worst recordings."""

    name: str
    coverage: tuple[str, ...]
    rows: tuple[SummaryRow, ...]
    worst: tuple[WorstUtterance, ...]
    left_out: int
    """Recordings beyond the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSection:
    """Two systems."""

    first: str
    second: str
    line: str
    coverage: tuple[str, ...]
    rows: tuple[ComparedRow, ...]


def write_score_page(report: ScoreReport, path: Path) -> None:
    """Write the page, whole or not at all. Raises HarnessError if it cannot be written."""
    # only when a page is written: what draws spectrograms takes long to load
    from voxgate.harness.report.listening.player import SCRIPTS

    test = _blind_test(report, path.parent)
    text = standalone("score.html", SCRIPTS, page=score_page(report), test=test)
    write_file(path, text, "choose another --out", parents=True)


def _blind_test(report: ScoreReport, out: Path) -> str:
    """Write the blind test of the systems that were scored just now; return its name, or empty."""
    heard = _heard(report)
    if len(heard) < 2:
        return ""
    from voxgate.harness.report.listening.abx import write_systems_test
    from voxgate.harness.report.listening.assets import AssetFolder
    from voxgate.harness.report.listening.utterance import UtteranceVoices, utterance

    labels = {f"system-{index}": report.systems[index].scores.name for index in heard}
    last = report.systems[heard[-1]].scores.utterances
    rows = [each for each in last if each.text and not each.problem]
    # in an order that has nothing to do with their scores
    rows = sorted(rows, key=lambda each: hashlib.sha256(each.text.encode()).digest())[:MOST_ASKED]
    assets, asked = AssetFolder(out), []
    for request, takes in _takes(report, heard, rows):
        spoken = utterance(request, takes, assets)
        asked.append(UtteranceVoices(request=request, voices=spoken.voices, sounds=()))
    made = write_systems_test(" / ".join(labels.values()), asked, labels, out)
    return made if isinstance(made, str) else ""


def score_page(report: ScoreReport) -> ScorePage:
    """Return the contents of the page."""
    worst = [worst_first(system.scores, report.policy) for system in report.systems]
    return ScorePage(
        title=", ".join(system.name for system in report.systems) or "votes",
        line=report.line,
        remarks=(*report.faults, *filter(None, (report.effort.line,))),
        systems=tuple(
            SystemSection(
                name=system.name,
                coverage=coverage_lines(system.scores),
                rows=summary_rows(system),
                worst=_named(rows),
                left_out=len(rows) - len(_named(rows)),
            )
            for system, rows in zip(report.systems, worst, strict=True)
        ),
        comparisons=tuple(
            ComparisonSection(
                first=each.first,
                second=each.second,
                line=each.line,
                coverage=common_lines(each),
                rows=compared_rows(each),
            )
            for each in report.comparisons
        ),
        ranking=() if report.ranking is None else _ranking(report.ranking),
        ranking_line="" if report.ranking is None else ranking_line(report.ranking),
        player=_player(report, worst),
        heard_system=_heard(report)[-1] + 1 if _heard(report) else 0,
    )


def _named(rows: Sequence[WorstUtterance]) -> tuple[WorstUtterance, ...]:
    """Return the recordings that there is something to say of, as many as the table holds."""
    return tuple(row for row in rows if row.metrics or row.utterance.problem)[:MOST_ROWS]


def _ranking(ranking: Ranking) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (
            each.name,
            f"{each.votes:g}",
            f"{each.against:g}",
            strength_text(each.strength, each.low, each.high),
        )
        for each in ranking.systems
    )


def _player(report: ScoreReport, worst: Sequence[Sequence[WorstUtterance]]) -> "Player | None":
    """
    Return the player of the worst recordings of the last system that was scored just now, beside
    the same texts by the others; None where all scores were saved ones.
    """
    from voxgate.harness.report.listening.player import recordings_player

    heard = _heard(report)
    if not heard:
        return None
    labels = {f"system-{index}": report.systems[index].scores.name for index in heard}
    own = report.systems[heard[-1]].corpus
    if own is not None and own.references:
        labels[REFERENCE] = REFERENCE
    rows = [each.utterance for each in worst[heard[-1]] if not each.utterance.problem]
    return recordings_player(_takes(report, heard, rows), len(rows), labels, "recording")


def _heard(report: ScoreReport) -> list[int]:
    """Return the places of the systems that were scored just now."""
    return [index for index, system in enumerate(report.systems) if system.corpus is not None]


def _takes(
    report: ScoreReport, heard: Sequence[int], rows: Sequence[ScoredUtterance]
) -> Iterator[tuple[Request, tuple[Take, ...]]]:
    """Yield each utterance with its recordings, read one utterance at a time."""
    corpora = {index: held for index in heard if (held := report.systems[index].corpus) is not None}
    own = {each.name: each for each in corpora[heard[-1]].utterances}
    others = {f"system-{index}": _by_cluster(corpora[index]) for index in heard[:-1]}
    for row in rows:
        mine = own[row.name]
        files: dict[str, Path | Missing] = {
            cell: paths.get(row.cluster, NO_SUCH_TEXT) for cell, paths in others.items()
        }
        files[f"system-{heard[-1]}"] = mine.path
        if mine.reference is not None:
            files[REFERENCE] = mine.reference
        takes = tuple(
            Take(when="current", cell=cell, sound=_sound(file)) for cell, file in files.items()
        )
        yield Request(id=row.name, text=row.text or row.name), takes


def _by_cluster(corpus: RecordedCorpus) -> Mapping[str, Path]:
    """Return the first recording of each text."""
    found: dict[str, Path] = {}
    for each in corpus.utterances:
        found.setdefault(each.cluster, each.path)
    return found


def _sound(file: Path | Missing) -> KeptAudio | Missing:
    return file if isinstance(file, Missing) else read_take(file)
