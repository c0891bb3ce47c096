"""
The records of measuring: what one iteration, one process and one whole run left behind. They
compute nothing.

SCHEMA_VERSION is the version of the run folder. History, all of it of 2026-11: 1, first. 2, samples
carry `disturbance`. 3, processes may carry `energy`. 4, samples may carry `joins_s`, requests
`language`, `statement` and `emphasis`, workloads `voices`, the run `metrics` and `conditions`. 5,
samples carry `chunks`, processes may carry `stages`, the run `judge`. 6, the `stages` of a process
may carry `work`. 7, cells may carry `command`. 8, samples may carry `marked_file`, `marked_sha256`,
`captions` and `notices`, requests `segments`, the run `budget_s`. 9, requests may carry `source`,
samples `live`. 10, the run may carry `models` and `takes`, samples `take` and `seed`. Older folders
are read as ones that do not tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from voxgate.harness import compat
from voxgate.harness.python310 import StrEnum
from voxgate.harness.records.cell import Cell, Name, Option
from voxgate.harness.records.constraints import (
    NON_EMPTY,
    Fallback,
    Key,
    OmitDefault,
    Range,
    Row,
    TextPattern,
    Unique,
)
from voxgate.harness.records.environment import RunEnvironment
from voxgate.harness.records.live import LiveTimes
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.own_model import ModelName, OwnModel

SCHEMA_VERSION = 10
OPENAI = "openai-whisper"
"""The judge of words unless a suite chooses another; runs that do not tell had no other."""
MOST_ROUNDS = 10_000
"""Fresh processes of a cell in one run; a larger number in a file was not made by measuring."""
MOST_TAKES = 1_000
Time = Annotated[float, Range(0.0)]
"""Seconds that may be none."""
Length = Annotated[float, Range(over=0.0)]
"""Seconds that something took, or plays."""
Count = Annotated[int, Range(0)]
TakeCount = Annotated[int, Range(2, MOST_TAKES)]


class Phase(StrEnum):
    """Why an iteration was run. Only `measured` ones are judged for speed."""

    FIRST = "first"
    """
    The first synthesis of a process: part of the cold start; with a compiled model it pays the
    compilation.
    """
    COMPILE = "compile"
    """Further iterations that still compiled something."""
    WARMUP = "warmup"
    OBSERVED = "observed"
    """Run with observers attached to see what is in effect; never timed."""
    MEASURED = "measured"
    TAKE = "take"
    """A further take of a cell that samples; never timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChunk(Row):
    """A chunk of audio as it arrived: seconds from the request to its arrival, and its duration."""

    arrived_s: Time
    audio_s: Length


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionTimes(Row):
    """Where a segment of a reel stands in the audio, as the engine tells it, in seconds."""

    start_s: Time
    end_s: Length


KIND_OF_NOTICE = r"[a-z][a-z_]{0,39}"
SPOKEN, DROPPED, MOST_NOTICES, MOST_CHARACTERS = "spoken", "dropped", 100, 500
"""Kinds: a reading, characters left out; kept of one synthesis, and of the text of a notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisNotice:
    """
    What an engine tells of a synthesis that did not fail: its kind (`cut` is a text not said to its
    end, SPOKEN its words as read, DROPPED characters left out), and the part that it is about.
    """

    kind: Annotated[str, TextPattern(KIND_OF_NOTICE, "a word")]
    text: Annotated[str, TextPattern(rf"(?s).{{0,{MOST_CHARACTERS}}}", "short")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """
    One synthesis. `wall_s` runs from the request to the last audio sample; `stages_s` is the part
    of each stage.
    """

    cell: str
    repeat: Annotated[int, Range(0, MOST_ROUNDS)]
    iteration: Count
    phase: Phase
    request: str
    wall_s: Length
    audio_s: Length
    first_audio_s: Time
    stages_s: Mapping[str, Time]
    audio_sha256: Annotated[str, TextPattern(r"[0-9a-f]{1,64}", "a hash")]
    audio_file: str | None
    """
    Path of the audio inside the run folder; None where the same audio was kept already. The first
    of a request is the cell's audio; an engine without a seed leaves further takes.
    """
    disturbance: Mapping[str, float] = field(default_factory=dict)
    """
    Disturbance reported by the kernel, named as in `machine/interference.py`; empty where unknown.
    """
    joins_s: Annotated[tuple[Time, ...] | None, OmitDefault()] = None
    """
    Seconds from the start of the audio to each place where the engine joined two chunks; None where
    it does not tell.
    """
    chunks: Annotated[tuple[AudioChunk, ...] | None, OmitDefault()] = None
    """Chunks in the order of their arrival; None where they were not recorded."""
    marked_file: Annotated[str | None, OmitDefault()] = None
    """
    Path of the audio as delivered, with its watermark, where `audio_file` is the audio before it.
    """
    marked_sha256: Annotated[str | None, OmitDefault()] = None
    """Of the samples in `marked_file`."""
    captions: Annotated[tuple[CaptionTimes, ...] | None, OmitDefault()] = None
    """Of a reel, one for each segment; None where the engine does not tell, and for a text."""
    notices: Annotated[tuple[SynthesisNotice, ...], OmitDefault()] = ()
    """What the engine tells of this synthesis."""
    live: Annotated[LiveTimes | None, OmitDefault()] = None
    """Of a live conversion; `chunks` are its chunks as they came with the whole source there."""
    take: Annotated[int, OmitDefault(), Range(0, MOST_TAKES)] = 0
    seed: Annotated[Option | None, OmitDefault()] = None
    """Of a cell that samples: number and seed of the take; the measured iterations are take 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """Time that a fresh process needs before it can serve."""

    import_s: Time
    load_s: Time
    first_synthesis_s: Length


UNSEEN = "not observable"
"""The observed value of an option that cannot be observed."""


@compat.renamed_fields(asked="requested", holds="in_effect", why="reason")
@dataclass(frozen=True, slots=True, kw_only=True)
class OptionCheck:
    """
    One option: the requested value, the observed one, and whether the request is in effect.

    The keys of a file are `asked`, `holds` and `why`, as they have always been; the keywords of
    these names work for one release more.
    """

    option: str
    requested: Annotated[Option | None, Key("asked")]
    observed: str
    in_effect: Annotated[bool | None, Key("holds")]
    """
    None where nothing of it could be observed: then nothing spoke against it, and nothing for it.
    """
    reason: Annotated[str, Key("why")]
    """How it was observed."""


class FailureKind(StrEnum):
    """Why a process ended, or a request to a server got no audio."""

    NOT_IN_EFFECT = "not in effect"
    REFUSED = "refused"
    """The configuration is not supported here, or the server answered with a 4xx status."""
    ERROR = "error"
    """The engine raised an exception."""
    FOREIGN_FILES = "foreign files"
    """The process opened files of another revision."""
    TIMEOUT = "timeout"
    KILLED = "killed"
    DIED = "died"
    DISK = "disk"
    """There was no room to record what was measured."""
    NO_CONNECTION = "no connection"
    BUSY = "busy"
    """HTTP status 429."""
    SERVER_ERROR = "server error"
    """HTTP status 5xx."""
    BROKEN_OFF = "broken off"
    """The server closed the connection within an answer."""
    NO_AUDIO = "no audio"
    BAD_FORMAT = "bad format"
    OTHER = "other"
    """Written by another version of voxgate."""

    @property
    def final(self) -> bool:
        """Whether the cell itself is at fault; all other failures are retried by a resume."""
        return self in _FINAL


_FINAL = frozenset(
    {
        FailureKind.REFUSED,
        FailureKind.ERROR,
        FailureKind.NOT_IN_EFFECT,
        FailureKind.FOREIGN_FILES,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a process has no iterations, or not all of them."""

    kind: Annotated[FailureKind, Fallback(FailureKind.OTHER)]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of one process, in a pass of its own: first idle, then at work."""

    meter: str
    """What was read, in words: values of different meters are not comparable."""
    idle_w: Annotated[float, Range(0.0)]
    busy_s: Length
    """How long the work took."""
    energy_j: Annotated[float, Range(0.0)]
    """During the work, what the machine draws anyway included."""
    audio_s: Length
    """That the work made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageWork:
    """
    Amount of work of a stage's model in a profiling pass. Its times are comparable only with those
    of the same work.
    """

    calls: Count
    """Of the model, in the whole synthesis."""
    rows: Count
    """
    In the first of them, which is the one that is timed alone: utterances, those that guidance
    doubles counted twice.
    """
    frames: Count
    """Of each row, what fills up a batch included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProfile:
    """
    Time per stage of one process, in a pass of its own that synchronises the device before and
    after each stage.
    """

    request: str
    wall_s: Time
    """Of the one synthesis of this pass."""
    stages_s: Mapping[str, Time]
    unaccounted_s: float
    """What `wall_s` has beyond the sum of the stages."""
    alone_s: Mapping[str, Annotated[tuple[Time, ...], NON_EMPTY]]
    """
    Stage -> each time that its model ran once by itself, on what it was first given in that
    synthesis.
    """
    work: Mapping[str, StageWork] = field(default_factory=dict)
    """Stage -> how much that was; without those whose target does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRecord:
    """All records of one child process: one repeat of one cell."""

    cell: str
    repeat: int
    cold: ColdStart | None
    effective: Mapping[str, Option | None]
    """Every option of the target as resolved, defaults included."""
    effects: tuple[OptionCheck, ...]
    iterations: tuple[Iteration, ...]
    peak_rss_bytes: int | None
    peak_cuda_bytes: int | None
    energy: Energy | Missing | None = None
    """Missing where a meter failed; None where energy was not requested."""
    stages: StageProfile | Missing | None = None
    """Missing where the pass failed; None where there was none."""
    failure: Failure | None
    finished: bool
    observed: bool = True
    """Whether effective options were observed; the observations are in `effects`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardText:
    """Transcript of one request by a speech recogniser."""

    text: str
    recogniser: str


HeardTexts = Mapping[str, Mapping[str, HeardText]]
"""Slug -> request id -> transcript; without requests that were not transcribed."""


WORKLOAD = r"([A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*\.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """Request of a run and where it began: the facts that header and run share."""

    suite: Name
    question: str
    reference: str
    """Slug of the reference cell."""
    cells: Annotated[tuple[Cell, ...], Unique("slug")]
    """None where two revisions have no cell in common."""
    excluded: Mapping[str, str]
    """Cells that the suite leaves out, by label, with the reason."""
    profile: Name
    environment: RunEnvironment
    created: str
    """ISO 8601, UTC."""
    metrics: tuple[str, ...] | None = None
    """What the suite wants scored; None for all that apply."""
    conditions: tuple[str, ...] = ()
    """Under which the suite wants it scored as well."""
    judge: str = OPENAI
    """Who listens, by name."""
    models: Annotated[Mapping[ModelName, OwnModel], OmitDefault()] = field(default_factory=dict)
    """The user's own networks that score the audio, by name."""
    budget_s: Annotated[Length | None, OmitDefault()] = None
    """Wall time that a request may take, as the suite promises it; None where it does not."""
    unmeasured: Annotated[Mapping[str, str], OmitDefault()] = field(default_factory=dict)
    """Cells of the suite that this run was not asked for: slug -> label."""
    takes: Annotated[Mapping[str, TakeCount], OmitDefault()] = field(default_factory=dict)
    """Takes of each text, by the slugs of cells that sample."""
    workload: Annotated[
        str, OmitDefault(), TextPattern(f"({WORKLOAD})?", "a relative path of a workload")
    ] = ""
    """
    Path of the workload in the project; empty where it came with this package, or from elsewhere.
    """


def spec_fields(record: RunSpec) -> dict[str, Any]:
    """Return the fields of `RunSpec` by name, to make another record of the same run."""
    return {each.name: getattr(record, each.name) for each in fields(RunSpec)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(RunSpec):
    """A whole run folder, read."""

    schema_version: int
    processes: tuple[ProcessRecord, ...]
    folder: str
    complete: bool
    heard: HeardTexts = field(default_factory=dict)
    """As of the last scoring; empty before."""


def failure_of(cell: str, run: Run) -> str | None:
    """
    Return why a cell failed: a process that failed, or an option that was observed not to be in
    effect. None if it did not fail.
    """
    for process in run.processes:
        if process.cell != cell:
            continue
        if process.failure is not None:
            return f"{process.failure.kind}: {process.failure.reason}"
        for effect in process.effects:
            if effect.in_effect is False:
                return (
                    f"not in effect: asked for {effect.option}={effect.requested}, observed "
                    f"{effect.observed}: {effect.reason}"
                )
    return None
