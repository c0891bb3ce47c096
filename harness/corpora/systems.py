"""
The main job of `voxgate score`: folders and saved scores in, everything that is reported out.

Decides the exit code: 1 where a recording cannot be scored, a value lies beyond what no baseline
excuses, or a later system is worse than the first; 3 where a comparison could not be decided.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voxgate.harness.corpora.compare import SystemComparison, compare_systems
from voxgate.harness.corpora.corpus import RecordedCorpus, load_corpus
from voxgate.harness.corpora.preference import Ranking, rank, read_votes
from voxgate.harness.corpora.score import ScoreOptions, score_corpus
from voxgate.harness.corpora.scores import (
    CorpusScores,
    MetricSummary,
    scores_from_dict,
    summaries,
)
from voxgate.harness.corpora.texts import NO_SOURCE, CorpusText, TextSource
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.decide import inexcusable
from voxgate.harness.judging.policy import Policy
from voxgate.harness.machine.clock import WallClock
from voxgate.harness.records.documents import read_json

SAVED = ".json"
FAILED, UNDECIDED = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Audio and time of scoring, and how many scores were cached and computed."""

    audio_s: float = 0.0
    wall_s: float = 0.0
    cached: int = 0
    computed: int = 0

    @property
    def line(self) -> str:
        """The effort in one line; without any scoring, empty."""
        if not self.audio_s:
            return ""
        head = f"scored {self.audio_s:.0f} s of audio in {self.wall_s:.1f} s"
        if not self.computed:
            return f"{head}: all {self.cached} scores were cached"
        if self.cached:
            return f"{head}: {self.cached} of {self.cached + self.computed} scores were cached"
        return f"{head} ({self.audio_s / self.wall_s:.1f} times real time)"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The scores of one system, and its folder where it was scored just now."""

    scores: CorpusScores
    corpus: RecordedCorpus | None
    summaries: tuple[MetricSummary, ...]

    @property
    def name(self) -> str:
        """The name of the system."""
        return self.scores.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """All that is reported."""

    systems: tuple[System, ...]
    comparisons: tuple[SystemComparison, ...]
    ranking: Ranking | None
    policy: Policy
    effort: Effort

    @property
    def faults(self) -> tuple[str, ...]:
        """Values beyond what no baseline excuses, as text."""
        found = []
        for system in self.systems:
            for measured in (each.measurement for each in system.summaries):
                limit = self.policy.get(measured.metric)
                why = limit and inexcusable(measured.summary, measured.better, limit)
                if why:
                    found.append(f"{system.name}: {measured.metric}: {why}")
        return tuple(found)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        broken = any(system.scores.broken for system in self.systems)
        codes = {each.exit_code for each in self.comparisons}
        if broken or self.faults or FAILED in codes:
            return FAILED
        return UNDECIDED if UNDECIDED in codes else 0

    @property
    def line(self) -> str:
        """The result in one line: the last that is printed."""
        if self.comparisons:
            return "; ".join(each.line for each in self.comparisons)
        if self.systems:
            scores = self.systems[0].scores
            total = len(scores.utterances)
            return (
                f"{total - len(scores.broken)} of {total} recordings scored by "
                f"{len(self.systems[0].summaries)} metrics"
            )
        assert self.ranking is not None, "there are systems or votes"
        return f"{len(self.ranking.systems)} systems ranked by {self.ranking.votes} preferences"


def score_systems(
    paths: Sequence[Path],
    texts: Path | None,
    references: Path | None,
    options: ScoreOptions,
    policy: Policy,
    votes: Sequence[Path] = (),
) -> ScoreReport:
    """
    Score folders, read saved scores, and compare all with the first.

    Raises HarnessError where there is nothing to score, and where systems cannot be compared.
    """
    cast = read_votes(votes)
    counted = _Counted()
    clock, audio_s = WallClock(), 0.0
    began_s = clock.seconds()
    systems: list[System] = []
    for path in paths:
        if path.suffix == SAVED and not path.is_dir():
            systems += _saved(path)
            continue
        corpus = load_corpus(path, texts, references, _first_source(systems))
        scores = score_corpus(corpus, replace(options, on_plan=counted.add))
        systems.append(_system(_usable(scores), corpus))
        audio_s += sum(each.audio_s for each in scores.utterances)
    wall_s = clock.seconds() - began_s
    named = _with_own_names(systems)
    first = [each.scores for each in named[:1]]
    return ScoreReport(
        systems=named,
        comparisons=tuple(
            compare_systems(first[0], other.scores, policy, options.metrics) for other in named[1:]
        ),
        ranking=rank(cast) if votes else None,
        policy=policy,
        effort=Effort(
            audio_s=audio_s, wall_s=wall_s, cached=counted.cached, computed=counted.computed
        ),
    )


@dataclass(slots=True)
class _Counted:
    cached: int = 0
    computed: int = 0

    def add(self, cached: int, computed: int) -> None:
        self.cached, self.computed = self.cached + cached, self.computed + computed


def _saved(path: Path) -> list[System]:
    data = read_json(path, f"there is no {path}; name a folder of recordings, or saved scores")
    return [_system(each, None) for each in scores_from_dict(data, str(path))]


def _system(scores: CorpusScores, corpus: RecordedCorpus | None) -> System:
    return System(scores=scores, corpus=corpus, summaries=summaries(scores))


def _first_source(systems: Sequence[System]) -> TextSource:
    """Return the texts of the first system, for folders that have none of their own."""
    return _source(systems[0]) if systems else NO_SOURCE


def _source(system: System) -> TextSource:
    if system.corpus is not None:
        return system.corpus.source
    texts = {
        each.name: CorpusText(text=each.text, spoken=each.spoken, language=each.language)
        for each in system.scores.utterances
        if each.text
    }
    return TextSource(form=f"those of {system.name}", texts=texts) if texts else NO_SOURCE


def _usable(scores: CorpusScores) -> CorpusScores:
    """Return the scores. Raises HarnessError where no recording can be scored."""
    broken = scores.broken
    if len(broken) == len(scores.utterances):
        raise HarnessError(
            f"none of the {len(broken)} recordings of {scores.name} can be scored; the first: "
            f"{broken[0].problem}"
        )
    return scores


def _with_own_names(systems: Sequence[System]) -> tuple[System, ...]:
    """Return the systems, those with a name that stands there already numbered."""
    taken: set[str] = set()
    named = []
    for system in systems:
        name = _free(system.scores.name, taken.__contains__)
        taken.add(name)
        named.append(replace(system, scores=replace(system.scores, name=name)))
    return tuple(named)


def _free(name: str, is_taken: Callable[[object], bool]) -> str:
    number, free = 2, name
    while is_taken(free):
        free, number = f"{name} ({number})", number + 1
    return free
