"""
The results of a selftest of quality: the record, and the rule that decides whether quality verdicts
can be trusted.

A matrix: rows are faults at several strengths, columns are metrics. Runs nothing and renders
nothing; `render_quality.py` and `draw_quality.py` do.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType

from voxgate.harness.metrics.metric import AudioMetric, Need
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.verdict import MetricVerdict, Verdict
from voxgate.harness.selftest.specimens import EVERY, ONE, Kind

OF_ANY_PERFORMANCE = "voice"
"""The family whose metrics need a reference, and not the same performance."""


class Sight(StrEnum):
    """What one metric made of one fault, by the policy."""

    SEEN = "seen"
    """REGRESSED or FAILED, and it blocks."""
    ADVISED = "advised"
    """The same, but it only informs."""
    UNPROVEN = "unproven"
    """
    Beyond its margin, without the evidence that the policy asks for: UNRESOLVED, which is no pass
    either.
    """
    UNSEEN = "not seen"
    ABSENT = "no value"
    """It has none for the audio without the fault, so nothing can be told."""


class Compares(StrEnum):
    """What a metric holds the audio against."""

    PERFORMANCES = "performances"
    """The very same performance: parity. Nothing where the engine samples."""
    TAKES = "takes"
    """Any take of the same text by the same voice."""
    NOTHING = "nothing"
    """No recording of the text."""


def compares(source: AudioMetric | None, family: str) -> Compares:
    """Return what a metric of that family compares; None stands for those of a transcript."""
    need = Need.NOTHING if source is None else source.need
    if need is Need.REFERENCE and family != OF_ANY_PERFORMANCE:
        return Compares.PERFORMANCES
    return Compares.TAKES if need is Need.TAKE else Compares.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricColumn:
    """One metric, the family it belongs to, whether it blocks, and what it compares."""

    metric: str
    family: str
    blocks: bool
    compares: Compares = Compares.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultResult:
    """What every metric made of one fault at one strength."""

    fault: str
    strength: str
    kind: Kind
    extent: str
    sights: Mapping[str, Sight]
    """By metric."""

    @property
    def by(self) -> tuple[str, ...]:
        """Name the metrics that block and saw it."""
        return tuple(name for name, sight in self.sights.items() if sight is Sight.SEEN)

    @property
    def advised_by(self) -> tuple[str, ...]:
        """Name the metrics that inform and saw it."""
        return tuple(name for name, sight in self.sights.items() if sight is Sight.ADVISED)

    @property
    def summed(self) -> Sight:
        """The strongest sight of any metric."""
        return _strongest(self.sights.values())

    def free(self, columns: Sequence[MetricColumn]) -> "FaultResult":
        """Return the result without the metrics of parity."""
        kept = {each.metric for each in columns if each.compares is not Compares.PERFORMANCES}
        return replace(
            self, sights={name: sight for name, sight in self.sights.items() if name in kept}
        )


def _strongest(sights: Collection[Sight]) -> Sight:
    order = (Sight.SEEN, Sight.ADVISED, Sight.UNPROVEN)
    return next((sight for sight in order if sight in sights), Sight.UNSEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """
    All findings on one kind of audio. `left_out` holds faults that could not be planted, with the
    reason.
    """

    audio: str
    """What the faults were planted into, in words."""
    utterances: int
    findings: tuple[FaultResult, ...]
    left_out: Mapping[str, str]

    @property
    def rows(self) -> list[FaultResult]:
        """The findings on every utterance."""
        return [finding for finding in self.findings if finding.extent == EVERY]

    def alone(self, row: FaultResult) -> FaultResult | None:
        """Return the result with the fault in one utterance only; None where that was not tried."""
        same = (
            finding
            for finding in self.findings
            if (finding.fault, finding.strength, finding.extent) == (row.fault, row.strength, ONE)
        )
        return next(same, None)

    @property
    def greatest(self) -> list[FaultResult]:
        """The faults at their greatest strength."""
        return list({row.fault: row for row in self.rows if row.kind is not Kind.HARMLESS}.values())


UNSEEABLE: Mapping[str, str] = MappingProxyType(
    {
        "late": "another take begins when it likes, and nobody hears 20 ms of silence",
        "wrong vowel": "takes of a synthetic voice lie as far apart as a vowel of another colour",
        "buzz": "clean speech has so little breath that its loss is within what takes differ by",
        "polarity": "nobody hears it, and only the same performance has a sign to compare",
    }
)
"""
Faults that no metric can be asked to see without the same performance, with the reason. The rest
must be seen by one that blocks.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTrust:
    """All that a selftest of quality found."""

    suite: str
    profile: str
    machine: str
    head: str
    created: str
    """ISO 8601, UTC."""
    columns: tuple[MetricColumn, ...]
    valueless: tuple[str, ...]
    """Metrics that have no column because they had no value for any of the audio."""
    unjudged: tuple[str, ...]
    """Metrics that have no column because no policy judges them."""
    matrices: tuple[Matrix, ...]
    unseeable: Mapping[str, str] = field(default_factory=lambda: dict(UNSEEABLE))
    """Faults that cannot be seen without parity, with the reason."""


def sight_of(verdict: MetricVerdict) -> Sight:
    """Read a verdict."""
    if verdict.verdict in (Verdict.REGRESSED, Verdict.FAILED):
        return Sight.SEEN if verdict.blocking else Sight.ADVISED
    if verdict.verdict in (Verdict.PASS, Verdict.IMPROVED):
        return Sight.UNSEEN
    judged = verdict.comparison is not None and verdict.comparison.shift is not None
    return Sight.UNPROVEN if judged and verdict.verdict is Verdict.UNRESOLVED else Sight.ABSENT


def columns_with_sight(
    columns: Sequence[MetricColumn], matrices: Sequence[Matrix]
) -> tuple[MetricColumn, ...]:
    """Return the columns of metrics that had a value for any of the audio."""
    seen: set[str] = set()
    for finding in chain.from_iterable(matrix.findings for matrix in matrices):
        seen |= {name for name, sight in finding.sights.items() if sight is not Sight.ABSENT}
    return tuple(column for column in columns if column.metric in seen)


def false_alarms(matrix: Matrix) -> list[FaultResult]:
    """Return the harmless changes that a blocking metric found."""
    return [row for row in matrix.rows if row.kind is Kind.HARMLESS and row.by]


def overlooked(matrix: Matrix) -> list[str]:
    """
    Name the faults that no metric saw that blocks, even at their greatest strength in every
    utterance.
    """
    return [row.fault for row in matrix.greatest if not row.by]


def hidden(matrix: Matrix, columns: Sequence[MetricColumn]) -> list[str]:
    """
    Name the planted faults that no metric saw that blocks and needs no parity, as `overlooked`.

    Settings are left out: what an option costs is told by the same performance.
    """
    faults = (row for row in matrix.greatest if row.kind is Kind.FAULT)
    return [row.fault for row in faults if not row.free(columns).by]


def failing(trust: QualityTrust) -> list[str]:
    """Name what was overlooked, and the faults hidden without a reason that we know."""
    missed = chain.from_iterable(
        [*overlooked(matrix), *hidden(matrix, trust.columns)] for matrix in trust.matrices
    )
    return [fault for fault in dict.fromkeys(missed) if fault not in trust.unseeable]


def is_trustworthy(trust: QualityTrust) -> bool:
    """
    Whether faults were planted into all audio, nothing harmless was seen, and every fault was, at
    its greatest, without parity, but for those that cannot be.
    """
    return (
        bool(trust.matrices)
        and all(matrix.greatest and not false_alarms(matrix) for matrix in trust.matrices)
        and not failing(trust)
    )
