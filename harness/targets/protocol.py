"""
The base class of all targets. A target calls a voice engine: it reads no clock and writes no file;
the worker does both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from voxgate.harness.machine.clock import Clock
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.records.run import OptionCheck, StageWork

StageWatch = Callable[[str], AbstractContextManager[None]]
"""Called by the target as `with watch("vocoder"): ...` around each of its stages."""
Options = Mapping[str, Option]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedStage:
    """The model of a stage, ready to run by itself."""

    run: Callable[[], object]
    """Runs the model once on the inputs of its first call."""
    work: StageWork | None = None
    """
    Size of that work; None where the target does not know. Without it, nobody can tell a faster
    model from a shorter call.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInput:
    """How a loaded engine takes a source that comes live."""

    sample_rate_hz: int
    """At which it takes the source."""
    latency_s: float
    """
    Its algorithmic latency: from a sample's coming in to the same one's going out, at most, if
    computing took no time and the source came sample by sample. The worker measures it, and a cell
    that held back more than it declares is FAILED.
    """


Alone = IsolatedStage
"""The former name, for plug-ins; removed with the next release."""


class Target(ABC):
    """
    A voice engine under measurement. One object serves one cell in one process.

    `load`, `effective` and `synthesize` are required, and so is `sample_rate_hz`. Everything else
    is optional: its default says what the harness assumes of an engine without that ability.
    """

    sample_rate_hz: int
    """Of the audio that `synthesize` yields; it may change at `load`, and with the first chunk."""
    imports: tuple[str, ...] = ()
    """Modules that the worker imports, and times, before `load`. Default: none."""
    clock: Clock | None = None
    """Clock to read in place of real time, for engines that simulate. Default: real time."""
    elsewhere: bool = False
    """
    Whether the engine runs in another process, such as a server: the worker's memory is then not
    the engine's. Default: it runs in the worker.
    """
    claimed_stages_s: Mapping[str, float] = MappingProxyType({})
    """
    Seconds by stage that an engine elsewhere claims of its last synthesis. Default: it claims none.
    """
    chunk_boundaries_s: tuple[float, ...] | None = None
    """
    Seconds from the start of the last synthesis to each place where two chunks meet; such places
    are searched for clicks. Default: unknown.
    """
    captions_s: Sequence[tuple[float, float]] | None = None
    """
    Of a reel: start and end of each segment in the audio of the last synthesis, in seconds.
    Default: unknown.
    """
    sampled: bool | None = None
    """
    Whether what is spoken is drawn at random, so that another `seed` of a request, or another call
    of an engine without one, is another take. Default: unknown, and the suite may say.
    """

    @classmethod
    def samples(cls, cell: Cell) -> bool | None:
        """Whether a cell is sampled; None where the suite decides. Default: `sampled`."""
        return cls.sampled

    @classmethod
    def speaks_reels(cls, cell: Cell) -> bool:
        """
        Whether requests with segments can be spoken, each segment by its speaker. Default: they
        cannot.
        """
        return False

    @classmethod
    def takes_sources(cls, cell: Cell) -> bool | None:
        """
        Whether requests hold a source recording to convert: True where each must, False where none
        may, None where the engine takes both. Default: none may.
        """
        return False

    notices: Sequence[tuple[str, str]] = ()
    """
    What a listener would not expect of the last synthesis, as (kind, part of the text): `cut` is a
    text that was not said to its end; `spoken` are the words that the engine read in the text, part
    by part, with which what is heard is compared; `dropped` are characters that it cannot say and
    left out. Default: nothing is known.
    """
    unmarked: np.ndarray | None = None
    """
    The last synthesis before its watermark, float32 (T,), as long as the audio that was yielded;
    quality is judged on it, and the watermark on the product. Default: there is no other audio.
    """

    @classmethod  # noqa: B027  (optional)
    def check_options(cls, pipeline: str, options: Options) -> None:
        """
        Check the options of a cell and of its requests before anything is measured, without
        importing the engine. Default: all are accepted.

        Raises: HarnessError for an unknown pipeline, option or value; name the known ones.
        """

    def imports_for(self, cell: Cell) -> tuple[str, ...]:
        """Return the modules to import for a cell. Default: `imports`, whatever the cell."""
        return self.imports

    @abstractmethod
    def load(self, cell: Cell, defaults: Options) -> None:
        """
        Import the engine and make it ready.

        Args:
            cell: its options win over the defaults.
            defaults: of the machine's profile (device, threads).

        Raises: HarnessError with the engine's own sentence when the engine refuses the
            configuration.
        """

    @abstractmethod
    def effective(self) -> Options:
        """Return every option as the engine resolved it, defaults included."""

    @abstractmethod
    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield float32 mono audio (T,), chunk by chunk, each playable when yielded."""

    @property
    def live(self) -> LiveInput | None:
        """
        How the loaded engine takes the source of a request live: `convert_live` is then called in
        place of `synthesize`. Default: it takes whole recordings only.
        """
        return None

    def convert_live(
        self, request: Request, packets: Iterator[np.ndarray], watch: StageWatch
    ) -> Iterator[np.ndarray]:
        """
        Convert a source that comes in packets: float32 mono (T,), 10 ms each, at the rate of
        `live`. Take a packet only when it is needed for the next chunk, since it may have to be
        waited for; yield audio as `synthesize` does, as soon as it can be played. When there are no
        more packets, yield the rest. Default: not called.
        """
        raise NotImplementedError("a target with `live` needs convert_live")

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """
        Run one synthesis under observation and compare each option with what was in effect.
        Default: nothing is observable.
        """
        return ()

    def isolated_stages(self, request: Request, watch: StageWatch) -> Mapping[str, IsolatedStage]:
        """
        Synthesise a request; return, by stage, the models that can run by themselves. Default:
        none can.
        """
        for _ in self.synthesize(request, watch):
            pass
        return {}

    def settled(self) -> bool:
        """
        Whether the last synthesis compiled and cached nothing new, so that measuring may begin.
        Default: engines do not compile.
        """
        return True

    def peak_rss_bytes(self) -> int | None:
        """Return the most memory that an engine elsewhere had. Default: unknown."""
        return None


class ForwardingTarget(Target):
    """Passes everything on to another target; a subclass changes part of it."""

    def __init__(self, inner: Target) -> None:
        self._inner = inner

    @property
    def sample_rate_hz(self) -> int:  # type: ignore[override]
        """Of the other target."""
        return self._inner.sample_rate_hz

    @property
    def clock(self) -> Clock | None:  # type: ignore[override]
        """Of the other target."""
        return self._inner.clock

    @property
    def elsewhere(self) -> bool:  # type: ignore[override]
        """Of the other target."""
        return self._inner.elsewhere

    @property
    def chunk_boundaries_s(self) -> tuple[float, ...] | None:  # type: ignore[override]
        """Of the other target."""
        return self._inner.chunk_boundaries_s

    @property
    def captions_s(self) -> Sequence[tuple[float, float]] | None:  # type: ignore[override]
        """Of the other target."""
        return self._inner.captions_s

    @property
    def claimed_stages_s(self) -> Mapping[str, float]:  # type: ignore[override]
        """Of the other target."""
        return self._inner.claimed_stages_s

    @property
    def notices(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]
        """Of the other target."""
        return self._inner.notices

    @property
    def unmarked(self) -> np.ndarray | None:  # type: ignore[override]
        """Of the other target."""
        return self._inner.unmarked

    def imports_for(self, cell: Cell) -> tuple[str, ...]:
        """Return the modules that the other target imports."""
        return self._inner.imports_for(cell)

    def load(self, cell: Cell, defaults: Options) -> None:
        """Load the other target."""
        self._inner.load(cell, defaults)

    def effective(self) -> Options:
        """Return the options of the other target."""
        return self._inner.effective()

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield the audio of the other target."""
        return self._inner.synthesize(request, watch)

    @property
    def live(self) -> LiveInput | None:
        """Of the other target."""
        return self._inner.live

    def convert_live(
        self, request: Request, packets: Iterator[np.ndarray], watch: StageWatch
    ) -> Iterator[np.ndarray]:
        """Yield the audio of the other target."""
        return self._inner.convert_live(request, packets, watch)

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Observe the other target."""
        return self._inner.observe(request)

    def isolated_stages(self, request: Request, watch: StageWatch) -> Mapping[str, IsolatedStage]:
        """Return the isolated stages of the other target."""
        return self._inner.isolated_stages(request, watch)

    def settled(self) -> bool:
        """Whether the other target is settled."""
        return self._inner.settled()

    def peak_rss_bytes(self) -> int | None:
        """Return the memory of the other target's engine."""
        return self._inner.peak_rss_bytes()
