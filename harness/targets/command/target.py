"""
A command line as a target: what a user of the program sees is measured.

With `protocol="once"` the stage `process` runs from the start of the program to its end, loading
included, with its audio read. With `protocol="lines"` it stays alive, and loading is measured
apart.

The program is a black box. That an option was passed is no proof that it is in effect: no check of
this target holds because of an argument. A seed is in effect if another one gives other audio; a
claim of the program counts against it where it contradicts the request, and never for it. Shown
beside that are the facts of its process: arguments as the system has them, threads, memory, audio.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import numpy as np

from voxgate.harness.audio.files import Audio, same_audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.records.command_line import OF_A_PROFILE, SOURCE, CommandLine
from voxgate.harness.records.run import UNSEEN, OptionCheck
from voxgate.harness.targets.command.files import named_files
from voxgate.harness.targets.command.lines import LineEngine
from voxgate.harness.targets.command.once import OneShot
from voxgate.harness.targets.command.process import TreeLook
from voxgate.harness.targets.live_packets import live_packets
from voxgate.harness.targets.protocol import LiveInput, Options, StageWatch, Target

PROCESS = "process"
STAGES = {"once": (PROCESS, PROCESS), "lines": ("first_audio", "further_audio")}
CLAIMED = "claimed."
HEARD = "heard"
NOTHING: Mapping[str, float] = MappingProxyType({})


class CommandTarget(Target):
    """One program."""

    sample_rate_hz = 24_000
    """Until the program tells, or its first audio does."""
    elsewhere = True

    def __init__(self) -> None:
        self._engine: OneShot | LineEngine
        self._command: CommandLine
        self._cell: Cell
        self._values: dict[str, Option] = {}
        self._files: dict[str, Option] = {}
        self._tree = TreeLook()

    @classmethod
    def speaks_reels(cls, cell: Cell) -> bool:
        """Whether the program stays alive; its first line then tells whether it speaks them."""
        return cell.command is not None and cell.command.protocol == "lines"

    @classmethod
    def takes_sources(cls, cell: Cell) -> bool | None:
        """
        Whether the command has a place for a source. Of a program that stays alive, its first line
        tells.
        """
        if cell.command is None or cell.command.protocol == "lines":
            return None
        return SOURCE in cell.command.names

    @property
    def captions_s(self) -> Sequence[tuple[float, float]] | None:  # type: ignore[override]
        """Captions as the program claims them of its last answer."""
        if isinstance(self._engine, OneShot) or self._engine.last.captions is None:
            return None
        return tuple((each.start_s, each.end_s) for each in self._engine.last.captions)

    @property
    def notices(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]
        """What the program tells of its last answer."""
        if isinstance(self._engine, OneShot):
            return ()
        return tuple((each.kind, each.text) for each in self._engine.last.notices)

    def load(self, cell: Cell, defaults: Options) -> None:
        """
        Find the program; start one that stays alive, and wait until it is ready. Raises
        HarnessError.
        """
        if cell.command is None:
            raise HarnessError('target="command" needs command= in its suite')
        self._cell, self._command = cell, cell.command
        profile = {name: defaults[name] for name in OF_A_PROFILE if name in defaults}
        self._values = {**profile, **cell.options}
        here = Path()
        program, *others = named_files(cell.command.words, here)
        self._files = {"program": program.shown(here)}
        if others:
            self._files["program.files"] = ", ".join(file.shown(here) for file in others)
        if cell.command.protocol == "once":
            self._engine = OneShot(cell.command)
            return
        self._engine = LineEngine(cell.command.fill(self._values))
        self.sample_rate_hz = self._engine.rate_hz
        self._check_known(self._engine)

    def effective(self) -> Options:
        """
        Return the program that was found, and what it claims of itself. An option that was merely
        passed is not among them.
        """
        claims = self._engine.claims() if isinstance(self._engine, LineEngine) else {}
        return {**self._files, **{CLAIMED + name: value for name, value in claims.items()}}

    @property
    def claimed_stages_s(self) -> Mapping[str, float]:  # type: ignore[override]
        """Times of its stages as the program claims them of its last answer."""
        if isinstance(self._engine, OneShot):
            return NOTHING
        return {CLAIMED + stage: time_s for stage, time_s in self._engine.last.stages_s.items()}

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield audio as it arrives."""
        pieces = self._spoken(request, self._of(request))
        if isinstance(self._engine, LineEngine) and self._engine.hello.stages:
            yield from pieces  # its own stages would be counted twice
            return
        stage, further = STAGES[self._command.protocol]
        while True:
            with watch(stage):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
            stage = further

    @property
    def live(self) -> LiveInput | None:
        """How the program takes live audio, as its first line tells."""
        told = self._engine.hello.live if isinstance(self._engine, LineEngine) else None
        if told is None:
            return None
        return LiveInput(sample_rate_hz=told.sample_rate_hz, latency_s=told.latency_s)

    def convert_live(
        self, request: Request, packets: Iterator[np.ndarray], watch: StageWatch
    ) -> Iterator[np.ndarray]:
        """Yield the audio that answers each packet."""
        assert isinstance(self._engine, LineEngine), "only a program that stays alive is live"
        yield from self._engine.convert(request, self._of(request), packets)

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Speak with an eye on the process, and again with another seed if there is one."""
        values = self._of(request)
        tree = TreeLook()
        audio = self._heard(request, values, tree)
        claims = self._engine.claims() if isinstance(self._engine, LineEngine) else {}
        self._tree = tree
        asked = {**self._cell.options, **request.options}
        checks = [self._check(name, value, asked, claims) for name, value in asked.items()]
        if self._is_seeded(values):
            checks = [check for check in checks if check.option != "seed"]
            checks.append(self._check_seed(request, values, audio))
        return (*checks, *self._facts(tree, audio))

    def settled(self) -> bool:
        """End what was left running. Nothing is known of what a program compiles."""
        self._engine.tidy()
        return True

    def peak_rss_bytes(self) -> int | None:
        """
        Return the memory of all its processes: of one that stays alive until now, else of the
        synthesis under observation.
        """
        if isinstance(self._engine, LineEngine):
            self._tree.look(self._engine.pid)
        return self._tree.peak_rss_bytes or None

    def _is_seeded(self, values: Mapping[str, Option]) -> bool:
        """Whether each request carries a seed of its own, so that another one can be tried."""
        started = {*self._command.names, *self._command.arguments}
        seed = values.get("seed")
        at_start = self._command.protocol == "lines" and "seed" in started
        return isinstance(seed, int) and not isinstance(seed, bool) and not at_start

    def _of(self, request: Request) -> dict[str, Option]:
        """Return the options that a request carries."""
        values = {**self._values, **request.options}
        if isinstance(self._engine, LineEngine) and self._engine.hello.options is not None:
            known = self._engine.hello.options
            return {name: value for name, value in values.items() if name in known}
        return values

    def _check_known(self, engine: LineEngine) -> None:
        """Raise HarnessError for a reel, source or option that the program does not take."""
        if not engine.hello.reels and any(each.segments for each in self._cell.workload.requests):
            engine.close()
            raise HarnessError(
                'the program speaks no reels: its first line does not hold "reels": true; use a '
                "workload without segments"
            )
        sources = [each.source is not None for each in self._cell.workload.requests]
        if not (engine.hello.sources or engine.hello.live) and any(sources):
            engine.close()
            raise HarnessError(
                'the program converts no recordings: its first line does not hold "sources": true; '
                "use a workload of texts"
            )
        if engine.hello.options is None:
            return
        extras = chain.from_iterable(request.options for request in self._cell.workload.requests)
        carried = {*engine.hello.options, *self._command.names, *self._command.arguments}
        unknown = sorted({*self._cell.options, *extras} - carried)
        if unknown:
            engine.close()
            raise HarnessError(
                f"the program has no option {', '.join(unknown)}; its first line names "
                f"{', '.join(engine.hello.options) or 'none'}"
            )

    def _spoken(
        self, request: Request, values: Mapping[str, Option], tree: TreeLook | None = None
    ) -> Iterator[Audio]:
        if isinstance(self._engine, OneShot):
            for piece in self._engine.speak(request, values, tree):
                self.sample_rate_hz = self._engine.rate_hz
                yield piece
            return
        live = self.live
        if live is not None and request.source is not None:
            packets = live_packets(request.source.path, live.sample_rate_hz)
            yield from self._engine.convert(request, values, packets)
        else:
            yield from self._engine.speak(request, values)
        if tree is not None:
            tree.look(self._engine.pid)

    def _heard(
        self, request: Request, values: Mapping[str, Option], tree: TreeLook | None = None
    ) -> Audio:
        audio = np.concatenate(list(self._spoken(request, values, tree)))
        self._engine.tidy()
        return audio

    def _check(
        self,
        name: str,
        asked: Option,
        values: Mapping[str, Option],
        claims: Mapping[str, Option],
    ) -> OptionCheck:
        """Return what is known of an option: a claim that contradicts it breaks it, no more."""
        if name in claims and str(claims[name]) != str(asked) and claims[name] != asked:
            return _checked(name, asked, str(claims[name]), False, "as the program itself claims")
        words = self._command.argument(name, values)
        passed = f"passed as {' '.join(words)}" if words else "sent with the text"
        if not words and self._command.protocol == "once":
            passed = "a flag that is left out"
        if name in claims:
            passed += f"; the program claims {claims[name]}"
        return _checked(name, asked, UNSEEN, None, passed)

    def _check_seed(
        self, request: Request, values: Mapping[str, Option], audio: Audio
    ) -> OptionCheck:
        """Check a seed by the audio: the same one repeats it, another one changes it."""
        seed = values["seed"]
        other = self._heard(request, {**values, "seed": int(seed) + 1})
        if same_audio(other, audio):
            return _checked("seed", seed, "the same audio with another seed", False, HEARD)
        if not same_audio(self._heard(request, values), audio):
            return _checked("seed", seed, "other audio with the same seed", False, HEARD)
        return _checked("seed", seed, "other audio with another seed", True, HEARD)

    def _facts(self, tree: TreeLook, audio: Audio) -> tuple[OptionCheck, ...]:
        """Return what was seen of the process and of its audio; nobody asked for it."""
        looks = "looked at every 10 ms" if self._command.protocol == "once" else "after a text"
        quick = "it had ended before it could be looked at"
        threads, rss_mib = tree.most_threads, tree.peak_rss_bytes / 2**20
        facts = {
            "process.arguments": (tree.arguments, "as the system shows them"),
            "process.threads": (
                f"{threads} in {len(tree.processes)} processes" if threads else "",
                f"the most at once, {looks}",
            ),
            "process.peak_rss": (
                f"{rss_mib:.1f} MiB" if rss_mib else "",
                f"of all its processes, {looks}",
            ),
            "audio": (
                f"{self.sample_rate_hz} Hz, 1 channel, {audio.size / self.sample_rate_hz:.2f} s",
                "as it was read",
            ),
        }
        return tuple(
            _checked(name, None, observed or UNSEEN, None, why if observed else quick)
            for name, (observed, why) in facts.items()
        )


def _checked(
    name: str, requested: Option | None, observed: str, in_effect: bool | None, reason: str
) -> OptionCheck:
    return OptionCheck(
        option=name, requested=requested, observed=observed, in_effect=in_effect, reason=reason
    )
