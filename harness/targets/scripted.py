"""
A target that behaves as its options say: a test double with exact order, failures, statistics and
verdicts.

It takes no real time: it advances a virtual clock. Its audio is a hum with syllables, the same for
the same text, speaker and seed. The environment variable VOXGATE_SCRIPT names a JSON file that
changes the "engine" without changing the suite: {"<slug> or *": {"slower": 1.1,
"stage": "vocoder", "click": 0.8, "observed": {"steps": "32"}, "fault": "die", "unobserved":
["steps"], "seedless": true, "alone": {"vocoder": 0.5}, "options": {...}}}. `slower` multiplies the
whole latency, all of it added to `stage`; `alone` multiplies what a stage takes when it runs by
itself, and nothing else; `unstaged_s` passes outside of all stages; `seedless` engines have no
seed, and their audio differs each time where no cell asks for one; `deaf` ones read the seed of the
cell alone, and not that of a request; `gain_db` makes the audio louder; `captions_beyond_s` is
added to the end of each caption of a reel. Of a live conversion, `late` = [block, s] makes a block
late, `declared_s` replaces the latency that is declared, and `held_s` is silence before the audio,
whose end is cut off.
"""

import errno
import json
import math
import os
import random
import signal
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from voxgate.harness.audio.recording import read_recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import VirtualClock, sleep
from voxgate.harness.records.cell import Cell, Option, Request
from voxgate.harness.records.run import UNSEEN, OptionCheck, StageWork
from voxgate.harness.targets.protocol import IsolatedStage, LiveInput, Options, StageWatch, Target

RATE_HZ = 16_000
FRAMES_PER_S = 100
"""Frames of its models."""
SCRIPT = "VOXGATE_SCRIPT"
STAGES: Mapping[str, float] = MappingProxyType(
    {"text": 0.05, "content": 0.05, "acoustic": 0.6, "vocoder": 0.3}
)
"""Share of the latency that each stage takes."""
DEFAULTS: Mapping[str, Option] = MappingProxyType(
    {
        "latency_ms": 100.0,
        "jitter": 0.0,  # relative spread of the latency, the same in every process
        "audio_s": 1.0,
        "chunks": 1,  # of equal length, into which the text is cut: its models run once for each
        "load_ms": 500.0,
        "compile": 0,  # how many of a process's first syntheses compile, at ten times the latency
        "noise": 0.0,  # amplitude of noise in the audio: a worse voice
        "vary": 0.0,  # relative spread of the length and the level that the seed draws
        "stream_block_ms": 0,  # of a live conversion: `latency_ms` is then that of each block
        "stream_lookahead_ms": 0,  # what is heard behind a block before it is converted
        "steps": 32,  # promised in effect, like every option that is asked for
        "quantization": "none",
        "speaker": "slt",
        "seed": 0,
        "device": "cpu",
        "threads": 1,
        "real_ms": 0.0,  # real time that a synthesis takes, for tests that interrupt
        "fault": "none",
        "fault_at": 0,  # which synthesis of a process the fault strikes
    }
)
FAULTS = (
    "none",
    "raise",
    "refuse",
    "die",
    "hang",
    "disk",
    "nondeterministic",
    "empty",
    "not finite",
    "unsettled",
)


WITHOUT_REELS = ("mute",)
"""Names of pipelines that speak no reels."""
SAMPLING = {"sampled": True, "greedy": False}
"""Names of pipelines -> whether they say that they sample; the others do not say."""
CONVERTING = ("convert",)
"""Names of pipelines that give back the source of a request, resampled: they convert nothing."""


class ScriptedTarget(Target):
    """A scripted engine."""

    sample_rate_hz = RATE_HZ
    clock: VirtualClock

    def __init__(self) -> None:
        self.clock = VirtualClock()
        """The worker reads it in place of the real one."""
        self._options: dict[str, Any] = {}
        self._requested: dict[str, Option] = {}
        self._script: dict[str, Any] = {}
        self._count = 0
        self.captions_s: tuple[tuple[float, float], ...] | None = None
        """Of a reel: its segments are equally long."""

    @classmethod
    def speaks_reels(cls, cell: Cell) -> bool:
        """Any pipeline does, except one that is called `mute`."""
        return cell.pipeline not in WITHOUT_REELS

    @classmethod
    def takes_sources(cls, cell: Cell) -> bool | None:
        """Those in CONVERTING must have a source, and any other none."""
        return cell.pipeline in CONVERTING

    @classmethod
    def samples(cls, cell: Cell) -> bool | None:
        """As SAMPLING says."""
        return SAMPLING.get(cell.pipeline)

    @classmethod
    def check_options(cls, pipeline: str, options: Options) -> None:
        """Refuse an unknown option or fault; any pipeline is accepted."""
        unknown = sorted(set(options) - set(DEFAULTS))
        if unknown:
            raise HarnessError(
                f"target scripted ({pipeline}) has no option {', '.join(unknown)}; known are "
                f"{', '.join(DEFAULTS)}"
            )
        if options.get("fault", "none") not in FAULTS:
            raise HarnessError(
                f"option fault={options['fault']!r} is unknown; known are {', '.join(FAULTS)}"
            )

    def load(self, cell: Cell, defaults: Mapping[str, Option]) -> None:
        """Read the options and the script; refuse if they say so."""
        script = _read_script()
        self._script = {**script.get("*", {}), **script.get(cell.slug, {})}
        self._requested = dict(cell.options)
        self._options = {**DEFAULTS, **defaults, **cell.options, **self._script.get("options", {})}
        if "fault" in self._script:
            self._options["fault"] = self._script["fault"]
        self.check_options(cell.pipeline, self._options)
        if self._options["fault"] == "refuse":
            raise HarnessError("fault=refuse asks for a refusal; use fault=none")
        self.clock.advance(self._options["load_ms"] / 1000)

    def effective(self) -> Options:
        """Return all options."""
        return {
            name: value
            for name, value in self._options.items()
            if name != "seed" or not self._is_seedless()
        }

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        """Yield the hum in two chunks."""
        options = {**self._options, **request.options}
        if self._script.get("deaf"):
            options["seed"] = self._options["seed"]
        self._strike(options)
        sleep(options["real_ms"] / 1000)
        for stage, duration_s in self._stages_s(options, request).items():
            with watch(stage):
                self.clock.advance(duration_s)
        if self._is_seedless():
            options["seed"] = int.from_bytes(os.urandom(4), "big")
            options["audio_s"] *= 1.0 + 0.004 * (options["seed"] % 5 - 2)
        gain = 10.0 ** (self._script.get("gain_db", 0.0) / 20.0)
        if options["vary"]:
            rng = random.Random(f"{request.id} {options['seed']}")
            options["audio_s"] *= 1.0 + options["vary"] * rng.uniform(-1.0, 1.0)
            gain *= 1.0 + options["vary"] * rng.uniform(-1.0, 1.0)
        audio = gain * _spoken(options, request, self._script.get("click", 0.0))
        self.captions_s = self._captions_s(request, len(audio) / RATE_HZ)
        if options["fault"] == "nondeterministic" and self._count > options["fault_at"]:
            audio[0] += 1e-3 * self._count
        if options["fault"] == "not finite":
            audio[0] = math.nan
        self._count += 1
        if options["fault"] != "empty":
            yield audio[: len(audio) // 2]
            yield audio[len(audio) // 2 :]

    @property
    def live(self) -> LiveInput | None:
        """Live where `stream_block_ms` says so; it holds a block and what it looks ahead."""
        if not self._options["stream_block_ms"]:
            return None
        held_ms = self._options["stream_block_ms"] + self._options["stream_lookahead_ms"]
        declared_s = float(self._script.get("declared_s", held_ms / 1000))
        return LiveInput(sample_rate_hz=RATE_HZ, latency_s=declared_s)

    def convert_live(
        self, request: Request, packets: Iterator[np.ndarray], watch: StageWatch
    ) -> Iterator[np.ndarray]:
        """Return each block when what it looks ahead has come."""
        options = {**self._options, **request.options}
        block, ahead = (
            int(options[name]) * RATE_HZ // 1000
            for name in ("stream_block_ms", "stream_lookahead_ms")
        )
        late, late_s = self._script.get("late", (-1, 0.0))
        heard = np.zeros(round(self._script.get("held_s", 0.0) * RATE_HZ), np.float32)
        lead, number = len(heard), 0
        for packet in packets:
            heard = np.concatenate((heard, packet))
            while len(heard) - lead >= block + ahead:
                self._work(options, request, watch, late_s if number == late else 0.0)
                yield heard[:block]
                heard, number = heard[block:], number + 1
        self._count += 1
        yield heard[: len(heard) - lead]

    def _work(
        self, options: Mapping[str, Any], request: Request, watch: StageWatch, late_s: float
    ) -> None:
        for stage, duration_s in self._stages_s(options, request).items():
            with watch(stage):
                self.clock.advance(duration_s)
        self.clock.advance(late_s)

    def observe(self, request: Request) -> tuple[OptionCheck, ...]:
        """Confirm every option that was asked for, except as the script says."""
        lies: Mapping[str, str] = self._script.get("observed", {})
        unseen: Sequence[str] = self._script.get("unobserved", ())
        seen = {
            name: lies.get(name, str(value)) for name, value in self._requested.items()
        } | dict.fromkeys(unseen, UNSEEN)
        return tuple(
            OptionCheck(
                option=name,
                requested=requested,
                observed=seen[name],
                in_effect=None if name in unseen else name not in lies,
                reason="as scripted",
            )
            for name, requested in self._requested.items()
        )

    def isolated_stages(self, request: Request, watch: StageWatch) -> Mapping[str, IsolatedStage]:
        """
        Simulate the stages; return models that take as long by themselves as the script says.
        """
        options = {**self._options, **request.options}
        stages_s, chunks = self._stages_s(options, request), int(options["chunks"])
        for stage, duration_s in stages_s.items():
            with watch(stage):
                self.clock.advance(duration_s)
        self.clock.advance(self._script.get("unstaged_s", 0.0))
        claimed: Mapping[str, float] = self._script.get("alone", {})
        work = StageWork(
            calls=chunks, rows=1, frames=round(options["audio_s"] * FRAMES_PER_S / chunks)
        )
        return {
            stage: IsolatedStage(
                run=partial(self.clock.advance, stages_s[stage] / chunks * claimed.get(stage, 1.0)),
                work=work,
            )
            for stage in ("acoustic", "vocoder")
        }

    def settled(self) -> bool:
        """Whether the last synthesis came after the compiling ones."""
        return bool(
            self._options["fault"] != "unsettled" and self._count > self._options["compile"]
        )

    def _captions_s(
        self, request: Request, audio_s: float
    ) -> tuple[tuple[float, float], ...] | None:
        count = len(request.segments)
        if not count:
            return None
        each_s, beyond_s = audio_s / count, float(self._script.get("captions_beyond_s", 0.0))
        return tuple((i * each_s, (i + 1) * each_s + beyond_s) for i in range(count))

    def _is_seedless(self) -> bool:
        return bool(self._script.get("seedless")) and "seed" not in self._requested

    def _stages_s(self, options: Mapping[str, Any], request: Request) -> dict[str, float]:
        whole_s = options["latency_ms"] / 1000 * (10 if self._count < options["compile"] else 1)
        if options["jitter"]:
            whole_s *= math.exp(
                random.Random(f"{request.id} {self._count}").gauss(0.0, options["jitter"])
            )
        stages_s = {stage: share * whole_s for stage, share in STAGES.items()}
        stages_s[self._script.get("stage", "vocoder")] += whole_s * (
            self._script.get("slower", 1.0) - 1.0
        )
        return stages_s

    def _strike(self, options: Mapping[str, Any]) -> None:
        if self._count < options["fault_at"]:
            return
        if options["fault"] == "raise":
            raise RuntimeError("fault=raise asks for an error")
        if options["fault"] == "disk":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if options["fault"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if options["fault"] == "hang":
            signal.pause()


def _read_script() -> dict[str, Any]:
    path = os.environ.get(SCRIPT)
    if not path:
        return {}
    script: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return script


def _spoken(options: Mapping[str, Any], request: Request, click: float) -> np.ndarray:
    """
    Return the hum of a text, those of a reel's segments in a row, as long together, or the source
    of a conversion.
    """
    if request.source is not None:
        source = read_recording(Path(request.source.path)).at(RATE_HZ)
        return np.asarray(source, dtype=np.float32)
    if not request.segments:
        return _hum(options, request, click)
    each_s = options["audio_s"] / len(request.segments)
    return np.concatenate(
        [
            _hum(
                {**options, "speaker": segment.speaker, "audio_s": each_s},
                replace(request, text=segment.text),
                click,
            )
            for segment in request.segments
        ]
    )


def _hum(options: Mapping[str, Any], request: Request, click: float) -> np.ndarray:
    """
    Voice-like float32 audio, shape [n]: harmonics of a gliding pitch, four syllables a second,
    within -1..1.
    """
    seed = zlib.crc32(f"{request.text} {options['speaker']} {options['seed']}".encode())
    rng = np.random.default_rng(seed)
    count = round(options["audio_s"] * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    pitch_hz = (110 if options["speaker"] == "rms" else 200) * (
        1 + 0.1 * np.sin(2 * np.pi * (0.7 * time_s + rng.random()))
    )
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    audio = np.asarray(sum(rng.uniform(0.3, 1.0) / k * np.sin(k * phase) for k in range(1, 11)))
    audio *= 0.15 * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time_s))
    audio += options["noise"] * rng.standard_normal(count)
    audio[RATE_HZ // 2 :: RATE_HZ] += click
    return np.asarray(np.clip(audio, -1.0, 1.0), dtype=np.float32)
