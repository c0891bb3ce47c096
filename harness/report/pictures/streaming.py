"""
Streams on one time axis: when each chunk came, when it was played, and where the player fell silent
because nothing more had come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from voxgate.harness.analysis.speed import SIMULTANEOUS_S
from voxgate.harness.records.run import AudioChunk, Iteration, Phase, Run
from voxgate.harness.report.pictures.axis import Scale

MOST_CHUNKS = 400
"""Of a stream; of a longer one the first are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedChunk:
    """Begin and width in percent of the picture's width; neighbours differ in shade."""

    start: float
    width: float
    is_even: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A time without audio in the middle of a stream."""

    start: float
    width: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow:
    """The stream of one cell that fell silent longest; the request that it speaks."""

    cell: str
    label: str
    request: str
    kind: str
    wait: float
    chunks: tuple[PlayedChunk, ...]
    silences: tuple[Silence, ...]
    arrivals: tuple[float, ...]
    first_audio: str
    underruns: int
    silent: str

    @property
    def told(self) -> str:
        """Its figures in words."""
        dry = (
            f"{self.underruns} underrun{'' if self.underruns == 1 else 's'}, silent {self.silent}"
            if self.underruns
            else "no underrun"
        )
        return f"first audio after {self.first_audio}, {dry}"

    @property
    def tip(self) -> str:
        """The row in words."""
        return f"{self.label}, {self.request}: {self.told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """A row per cell that streams."""

    caption: str
    rows: tuple[StreamRow, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Chunks of one request as they came."""

    request: str
    chunks: tuple[AudioChunk, ...]

    @property
    def plays(self) -> list[tuple[float, float]]:
        """Begin and end of each chunk as a player speaks it that begins with the first."""
        over_s, spans = self.chunks[0].arrived_s, []
        for chunk in self.chunks:
            start_s = chunk.arrived_s if chunk.arrived_s - over_s > SIMULTANEOUS_S else over_s
            over_s = start_s + chunk.audio_s
            spans.append((start_s, over_s))
        return spans

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Begin and end of each underrun."""
        spans = self.plays
        pairs = pairwise(spans)
        return [(one[1], other[0]) for one, other in pairs if other[0] - one[1] > SIMULTANEOUS_S]

    @property
    def silent_s(self) -> float:
        """Seconds in which the player had nothing to play, once it had begun."""
        return sum(end - start for start, end in self.gaps)


def streaming(run: Run) -> Streaming | None:
    """Return the streams of a run's cells; None where no cell streams."""
    found = [(cell.slug, cell.label, worst_stream(run, cell.slug)) for cell in run.cells]
    streams = [(slug, label, stream) for slug, label, stream in found if stream is not None]
    if not streams:
        return None
    reach_s = max(stream.plays[-1][1] for _, _, stream in streams)
    scale = Scale(low=0.0, high=reach_s, start=0.0, end=100.0)
    rows = tuple(_row(slug, label, stream, scale) for slug, label, stream in streams)
    return Streaming(
        caption=_caption(rows),
        rows=rows,
        ticks=tuple((scale.at(tick), f"{tick:g}") for tick in scale.ticks()),
    )


def worst_stream(run: Run, slug: str) -> Stream | None:
    """
    Return the measured stream of a cell that was silent longest, or waited longest for its first
    audio; None where none came in several chunks.
    """
    own = (process.iterations for process in run.processes if process.cell == slug)
    streams = [
        Stream(request=iteration.request, chunks=chunks)
        for iteration in chain.from_iterable(own)
        if iteration.phase is Phase.MEASURED and len(chunks := _chunks(iteration)) > 1
    ]
    return max(streams, key=lambda each: (each.silent_s, each.chunks[0].arrived_s), default=None)


def _chunks(iteration: Iteration) -> tuple[AudioChunk, ...]:
    """Return the chunks of a request, or of a live conversion when they would have been ready."""
    if iteration.live is not None:
        live = iteration.live.chunks[:MOST_CHUNKS]
        return tuple(AudioChunk(arrived_s=each.ready_s, audio_s=each.audio_s) for each in live)
    chunks = iteration.chunks or ()
    apart = any(_is_apart(one, other) for one, other in pairwise(chunks))
    return chunks[:MOST_CHUNKS] if apart else ()


def _is_apart(one: AudioChunk, other: AudioChunk) -> bool:
    return other.arrived_s - one.arrived_s > SIMULTANEOUS_S


def _row(slug: str, label: str, stream: Stream, scale: Scale) -> StreamRow:
    gaps = stream.gaps
    return StreamRow(
        cell=slug,
        label=label,
        request=stream.request,
        kind="bad" if gaps else "good",
        wait=scale.at(stream.chunks[0].arrived_s),
        chunks=tuple(
            PlayedChunk(start=start, width=width, is_even=number % 2 == 0)
            for number, (start, width) in enumerate(_spans(stream.plays, scale))
        ),
        silences=tuple(
            Silence(start=start, width=width, words=f"silent {_ms(end_s - start_s)}")
            for (start_s, end_s), (start, width) in zip(gaps, _spans(gaps, scale), strict=True)
        ),
        arrivals=tuple(scale.at(chunk.arrived_s) for chunk in stream.chunks),
        first_audio=_ms(stream.chunks[0].arrived_s),
        underruns=len(gaps),
        silent=_ms(stream.silent_s),
    )


def _spans(spans_s: Iterable[tuple[float, float]], scale: Scale) -> list[tuple[float, float]]:
    """Return begin and width of each span on the axis."""
    return [
        (scale.at(start_s), round(scale.at(end_s) - scale.at(start_s), 2))
        for start_s, end_s in spans_s
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.0995 else f"{seconds * 1e3:.3g} ms"


def _caption(rows: Sequence[StreamRow]) -> str:
    dry = [row for row in rows if row.underruns]
    if not dry:
        several = "every stream" if len(rows) > 1 else "the stream"
        return f"A player that begins with the first chunk speaks {several} without a pause."
    worst = max(dry, key=lambda row: sum(each.width for each in row.silences))
    times = "once" if worst.underruns == 1 else f"{worst.underruns} times"
    return (
        f"A player that begins with the first chunk falls silent in {len(dry)} of {len(rows)} "
        f"cells; {worst.label} longest: {times}, {worst.silent} in all."
    )
