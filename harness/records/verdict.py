"""
The records of judging: comparison, verdict per metric, per cell, and of the whole run; and their
form in JSON.

They hold decisions with their reasons, ready to be presented. They decide nothing:
`judging/compare.py` and `judging/decide.py` do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal

from voxgate.harness.errors import HarnessError
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.codec import from_json, to_json
from voxgate.harness.records.constraints import NON_EMPTY, Fallback, OmitDefault, Unwritten
from voxgate.harness.records.measurement import Better, Value

SCHEMA_VERSION = 1
"""Of the JSON that `--json` writes. History: 1, 2026-11, first."""


class Verdict(StrEnum):
    """The seven possible decisions."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    IMPROVED = "IMPROVED"
    REGRESSED = "REGRESSED"
    UNRESOLVED = "UNRESOLVED"
    NO_BASELINE = "NO_BASELINE"
    INCOMPARABLE = "INCOMPARABLE"
    FAILED = "FAILED"

    @staticmethod
    def worst(verdicts: "Iterable[Verdict]", default: "Verdict | None" = None) -> "Verdict":
        """Return the worst of several verdicts; `default`, or UNRESOLVED, where there is none."""
        fallback = Verdict.UNRESOLVED if default is None else default
        return min(verdicts, key=WORST_FIRST.index, default=fallback)


WORST_FIRST = (
    Verdict.FAILED,
    Verdict.REGRESSED,
    Verdict.INCOMPARABLE,
    Verdict.NO_BASELINE,
    Verdict.UNRESOLVED,
    Verdict.IMPROVED,
    Verdict.PASS,
)
"""The verdict of several is the first of these that occurs."""

EXIT_CODES: Mapping[Verdict, int] = MappingProxyType(
    {
        Verdict.FAILED: 1,
        Verdict.REGRESSED: 1,
        Verdict.INCOMPARABLE: 3,
        Verdict.NO_BASELINE: 3,
        Verdict.UNRESOLVED: 3,
        Verdict.IMPROVED: 0,
        Verdict.PASS: 0,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Policy of one metric. A change is beyond the limit if it exceeds every margin that is set."""

    relative: float | None
    """0.05 is 5 % of the baseline."""
    absolute: float | None
    """In the metric's own unit."""
    blocking: bool
    """Whether the verdict on this metric counts for the cell, or only informs."""
    against: str
    """
    What the metric itself is measured against: `baseline` (speed), `reference`, `golden`,
    `intrinsic`; or `limit`, where no baseline counts.
    """
    evidence: str = "none"
    """
    What proof a verdict needs: `processes`, `utterances`, or `none` where the same audio always
    gives the same value.
    """
    min_acceptable: float | None = None
    """
    The worst value that is good enough to ship, in the metric's own unit: `floor` in the policy
    file. It changes no verdict, unless `floor_fails`.
    """
    reject: float | None = None
    """A value beyond is FAILED, whatever the baseline, and whether `blocking` or not."""
    floor_fails: bool = False
    """Whether a worse value than `min_acceptable` fails the cell, whatever the baseline says."""
    worst: float | None = None
    """
    The most that one utterance may be worse than itself in the baseline, in the metric's own unit.
    """
    count: int = 0
    """How many utterances may be worse by more than `worst`."""
    worst_blocks: bool = False
    """Whether utterances beyond `worst` count for the cell although the mean only informs."""
    only_with: tuple[str, ...] = ()
    """
    Metrics of which one must be worse too, before REGRESSED counts for the cell: `with` in the
    policy file. Empty: the metric counts by itself.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceChange:
    """One metric of one utterance in the baseline and now; of several takes, the worst of each."""

    id: Annotated[str, NON_EMPTY]
    before: float
    now: float
    worse: float
    """
    By how much it is worse, in the metric's own unit, + is worse, beyond what the takes of the
    baseline differ by. Where neither direction is better, any change is worse; ratios beyond the
    inaudible count as inaudible.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a quality spreads over the utterances of a cell: percentiles and the worst one."""

    p5: float
    p95: float
    worst: Annotated[str, NON_EMPTY]
    """
    The utterance with the worst value; where neither direction is better, the farthest from the
    median.
    """
    value: float
    """Of that utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Shift of one metric of one cell from the baseline, with its uncertainty."""

    cell: str
    metric: str
    unit: str
    better: Better
    baseline: Value
    current: Value
    shift: float | None
    """
    Relative, + is larger; a difference in `unit` where `absolute` says so. None where there is
    nothing to compare.
    """
    low: float | None
    """Two-sided 95 % interval of `shift`; None where the data cannot give one."""
    high: float | None
    n_baseline: int
    n_current: int
    incomparable: tuple[str, ...]
    detail: str
    absolute: bool = False
    at_least: float | None = None
    """The two one-sided 95 % bounds of `shift`, which verdicts use."""
    error: float | None = None
    """
    Standard error of the logarithm of the ratio, over processes or rounds; None for quality and
    without repeats.
    """
    freedom: float | None = None
    at_most: float | None = None
    chance: Annotated[float | None, OmitDefault()] = None
    """
    Of a sampled cell: how far two sets of takes of one engine lie apart by chance, in the scale of
    `shift`. A smaller shift proves nothing.
    """
    spread: Annotated[Spread | None, OmitDefault()] = None
    """Of a quality over the utterances now; None where fewer than two have a value."""
    changes: Annotated[tuple[UtteranceChange, ...], Unwritten()] = field(default=(), compare=False)
    """Of each utterance with a value on both sides, the worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """The decision on one metric of one cell."""

    metric: str
    verdict: Verdict
    reason: str
    comparison: Comparison | None
    blocking: bool
    limit: float | None = None
    """The limit in the shift's own scale, where something was compared."""
    good_enough: bool = True
    """Whether the value keeps the policy's lowest acceptable one, as far as there is one."""
    utterances: Annotated[tuple[UtteranceChange, ...], OmitDefault()] = ()
    """
    Those that are worse by more than `worst`, the worst first; empty where the policy allows so
    many.
    """
    worst: Annotated[float | None, OmitDefault()] = None
    """The limit of one utterance, in the metric's own unit, where `utterances` exceed it."""
    cause: str = field(default="", compare=False)
    """
    The reason without the metric's name, so that metrics with one cause are named together; not
    part of the JSON. Empty where the reason is of this metric alone.
    """


LINE_SHARE = 0.7
"""
A speed is decided at 0.7 of its limit: at 3.5 % where the limit is 5 %. Deciding at the limit
itself would find a true regression of just that size every other time.
"""


MetricVerdicts = Mapping[str, tuple[MetricVerdict, ...]]
"""By the slug of the cell."""


class RemarkKind(StrEnum):
    """The subject of a remark. The first three explain a verdict, the others are notices."""

    HEARD = "heard"
    """Requests whose transcript changed."""
    STAGE = "stage"
    """The stage that moved most."""
    SETTINGS = "settings"
    """Options whose effective value changed."""
    ISOLATED_STAGE = "isolated_stage"
    """A stage that is faster in isolation while the whole is not."""
    UNOBSERVED_OPTION = "unobserved_option"
    """An option without any observed effect."""
    TAKES_DIFFER = "takes_differ"
    """The engine speaks otherwise each time."""
    SAMPLED = "sampled"
    """The cell is sampled: how many takes were spoken, and by which seeds."""
    SHORTER_IS_SLOWER = "shorter_is_slower"
    """A short text takes longer than a long one."""
    IN_PROCESS_DRIFT = "in_process_drift"
    """Later calls of a process are slower than earlier ones."""
    SYNTHESIS_NOTICE = "synthesis_notice"
    """What the engine tells of its syntheses, such as a text that was cut short."""
    SPANS_KEPT = "spans_kept"
    """The run kept when each stage ran, which costs time."""
    UNRECORDED_LIMIT = "unrecorded_limit"
    """Machine limits that only one of run and baseline records."""
    OTHER = "other"
    """A kind that only a newer voxgate knows."""


EXPLANATIONS = (RemarkKind.HEARD, RemarkKind.STAGE, RemarkKind.SETTINGS)
"""The remarks that explain a verdict: a cell's `notes` are their text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One remark on a cell: its subject, and the facts as short texts for people."""

    kind: Annotated[RemarkKind, Fallback(RemarkKind.OTHER)]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellVerdict:
    """The decision on one cell; `reason` is one line for people, the decisive metric first."""

    cell: str
    label: str
    verdict: Verdict
    reason: str
    notes: str = ""
    """
    The end of `reason` that explains a change: the stage that moved, the settings that differ.
    """
    metrics: tuple[MetricVerdict, ...]
    notices: Annotated[tuple[str, ...], OmitDefault()] = ()
    """
    What a reader should know and what decides nothing: a stage that is faster alone while the whole
    is not.
    """
    remarks: Annotated[tuple[Remark, ...], OmitDefault()] = ()
    """
    The records whose text `notes` and `notices` are; empty in documents of older versions. Code
    reads these, people the texts.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The decision on a whole run."""

    suite: str
    profile: str
    machine: str
    head: str
    """The revision that was measured, e.g. `3fa1c2e + 2 files`."""
    baseline: str
    """
    The baseline that it was judged against, e.g. `b07e11a, 2026-11-20 "bf16 vocoder"`, or `none`.
    """
    exit_code: int
    line: str
    """The verdict in one line."""
    verdict: Verdict
    counts: Mapping[Verdict, int]
    """Number of cells by verdict."""
    cells: tuple[CellVerdict, ...]
    without_baseline: Annotated[tuple[Literal["quality", "speed"], ...], OmitDefault()] = ()
    """What has blocking metrics that no baseline names."""
    baseline_date: Annotated[str, OmitDefault()] = ""
    """
    The day of that baseline's run: what is worse is so since then. Empty where unknown, and where
    the baseline was measured in turns with the run.
    """
    baseline_commit: Annotated[str, OmitDefault()] = ""
    """
    The commit of that baseline, or of the run that was measured in turns; empty where it is not the
    whole of what was measured.
    """
    accept: Annotated[str, OmitDefault()] = ""
    """The command that makes the run the baseline of that; empty where it would be refused."""

    @property
    def metrics(self) -> MetricVerdicts:
        """The verdicts on the metrics of each cell."""
        return {cell.cell: cell.metrics for cell in self.cells}


def judgement_to_dict(judgement: RunVerdict) -> dict[str, Any]:
    """Return plain JSON values."""
    return {"schema_version": SCHEMA_VERSION, **to_json(judgement)}


def judgement_from_dict(data: Mapping[str, Any]) -> RunVerdict:
    """
    Read the result of `judgement_to_dict`.

    Raises HarnessError for another schema, missing or unknown keys, and wrong types.
    """
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise HarnessError(
            f"this judgement has schema {version!r}, this voxgate reads {SCHEMA_VERSION}; judge "
            "the run again"
        )
    fields = {name: value for name, value in data.items() if name != "schema_version"}
    try:
        return from_json(RunVerdict, fields)
    except HarnessError as error:
        raise HarnessError(
            f"this judgement cannot be read ({error}); judge the run again"
        ) from error
