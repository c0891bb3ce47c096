"""
The observer of pipelines that convert recordings: runs conversions and records every call of the
models, of the F0 estimator, and of the packages behind it. It decides nothing.

The recording is changed in one sample, so that no cache of the engine knows it; then it is
converted twice, to see what is computed again, and once with its protection at the most.
"""

import math
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import Tensor

from voxgate.engine.config.conversion import MODELS
from voxgate.engine.conversion.features import warp
from voxgate.harness.records.cell import Request
from voxgate.harness.targets.engine.flow_observer import ModelSeen, model_seen
from voxgate.harness.targets.engine.hooks import Hooks, Recorder
from voxgate.harness.targets.engine.output_checks import OutputSeen, UnmarkedTap
from voxgate.harness.targets.engine.runtime_probe import (
    RuntimeProbe,
    compiled_graphs,
    graph_breaks,
    watching,
)
from voxgate.harness.targets.engine.thread_probe import Crowd, CrowdSeen

PACKAGES = (
    ("swift", "swift_f0", "SwiftF0.detect"),
    ("dio", "pyworld", "dio"),
    ("harvest", "pyworld", "harvest"),
)
"""F0 method, module, and what it calls there."""
MEET_S = 10.0
"""How long F0 and content wait for each other, where they should run at one time."""
WARP_TOLERANCE = 0.05
"""Of a log-mel, which bf16 rounds by less."""
CHANGE = 1e-4
"""By which the recording's last sample is changed."""


@dataclass(slots=True, kw_only=True)
class ConversionRun:
    """The calls of one conversion."""

    rows: dict[str, list[tuple[Tensor, ...]]] = field(default_factory=dict)
    """Inputs of every call, by model."""
    mels: list[Tensor] = field(default_factory=list)
    """Outputs of the decoder."""
    f0_threads: list[int] = field(default_factory=list)
    met: bool = False
    """Whether F0 was estimated while content was computed."""
    searches: list[tuple[Tensor, float]] = field(default_factory=list)
    """Mel (F, bands) and the warp found, of every search for the source's vocal tract."""
    rehearsal: int = 0
    """
    First calls of the decoder that nothing was spoken from: one where a part of the source is kept,
    to know the mean of the converted mel.
    """

    def shapes(self, model: str) -> list[tuple[int, int]]:
        """Return rows and frames of every call of a model."""
        return [(len(call[0]), call[0].shape[1]) for call in self.rows.get(model, [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionSeen:
    """Record of one observed conversion, and of two more for comparison."""

    models: dict[str, ModelSeen]
    run: ConversionRun
    again: ConversionRun
    """The same again."""
    guarded: ConversionRun
    """With protect=0."""
    estimators: frozenset[str]
    """F0 methods whose packages were called."""
    caller: int
    """The thread that the conversion was asked for in."""
    crowd: CrowdSeen
    threads: int
    graph_breaks: int
    recompiled: int
    output: OutputSeen
    samples: int
    """Of the recording, at 16 kHz."""
    contexts: dict[str, int]
    """Frames on either side that the models look at, by stage."""
    voice: Any
    """The loaded weights."""

    @property
    def acoustic(self) -> ModelSeen:
        """The model between content and vocoder."""
        return self.models["model"]

    @property
    def vocoder(self) -> ModelSeen:
        """The vocoder."""
        return self.models["vocoder"]


class ConversionHooks(Hooks):
    """Records the dtypes of Linear activations."""

    def attach(self, pipeline: Any) -> list[Any]:
        """Register no further hooks: the calls of the models show all else."""
        return []


class AsideCrowd(Crowd):
    """A crowd that the thread of F0 is no part of."""

    def __init__(self, could_meet: int) -> None:
        super().__init__(could_meet)
        self._aside = threading.local()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave this thread's arithmetic out."""
        self._aside.on = True
        try:
            yield
        finally:
            self._aside.on = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count this thread while it computes, unless it is aside."""
        if getattr(self._aside, "on", False):
            yield
            return
        with super().inside():
            yield


class _Meeting:
    """Holds two threads until both are there, or MEET_S."""

    def __init__(self, *, wanted: bool) -> None:
        self.met = False
        self._barrier = threading.Barrier(2, self._note, MEET_S) if wanted else None

    def _note(self) -> None:
        self.met = True

    def wait(self) -> None:
        """Wait for the other thread, the first time."""
        barrier = self._barrier
        if barrier is None or barrier.broken or self.met:
            return
        try:
            barrier.wait()
        except threading.BrokenBarrierError:
            return


def observe_conversion(
    pipeline: Any, request: Request, *, rehearses: bool = True
) -> ConversionSeen:
    """
    Run one request under observation; the pipeline is left unchanged. `rehearses` says whether the
    model is called once more before it speaks, where a part of the source is kept.
    """
    config = pipeline.for_request(request.options)
    before, hooks = compiled_graphs(), ConversionHooks(pipeline)
    crowd = AsideCrowd(_could_meet(pipeline, config))
    hooks.crowd = crowd
    probe, estimators = RuntimeProbe(crowd), Counter[str]()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        changed, samples = _changed(config.source, Path(folder) / "source.wav")
        options = {**request.options, "source": changed}
        stack.callback(_release, hooks)
        stack.enter_context(watching(probe))
        stack.enter_context(_counting(estimators))
        rehearsed = rehearses and not config.stream_block_ms
        run = ConversionRun(rehearsal=int(rehearsed and config.protects))
        with UnmarkedTap(pipeline) as tap, _recorded(pipeline, probe, run, crowd) as recorders:
            delivered = pipeline.synthesize(request.text, options)
        output = OutputSeen(
            delivered=delivered, unmarked=tap.audio(), rate_hz=pipeline.sample_rate_hz
        )
        again, guarded = ConversionRun(), ConversionRun(rehearsal=int(rehearsed))
        _convert_again(pipeline, request.text, options, again)
        _convert_again(pipeline, request.text, {**options, "protect": 0.0}, guarded)
    return ConversionSeen(
        models={
            name: model_seen(pipeline.models[name], recorder, hooks.dtypes[name])
            for name, recorder in recorders.items()
        },
        run=run,
        again=again,
        guarded=guarded,
        estimators=frozenset(estimators),
        caller=threading.get_ident(),
        crowd=crowd.seen(recorders["model"].marks[run.rehearsal :], recorders["vocoder"].marks),
        threads=torch.get_num_threads(),
        graph_breaks=graph_breaks(),
        recompiled=compiled_graphs() - before,
        output=output,
        samples=samples,
        contexts={"content": pipeline.content_context, "model": pipeline.spoken_context},
        voice=pipeline.voice,
    )


def _changed(source: str, path: Path) -> tuple[str, int]:
    """Write the recording with its last sample changed; return the path, and its samples."""
    audio, rate_hz = soundfile.read(source, dtype="float32", always_2d=True)
    audio[-1] += CHANGE
    soundfile.write(path, audio, rate_hz, subtype="FLOAT")
    return str(path), -(-len(audio) * 16_000 // rate_hz)


def _could_meet(pipeline: Any, config: Any) -> int:
    """Return how many passes could run at one time, by the engine's configuration."""
    if config.workers == 1 or config.stream_block_ms or not config.chunk_seconds:
        return 1
    info = soundfile.info(config.source)
    passes = max(1, int(info.duration / config.chunk_seconds)) / config.batch
    return int(min(config.workers, max(1, -(-passes // 1))))


@contextmanager
def _recorded(
    pipeline: Any, probe: RuntimeProbe, run: ConversionRun, crowd: AsideCrowd
) -> Iterator[dict[str, Recorder]]:
    """Replace models and F0 by recorders; afterwards the pipeline is as it was."""
    recorders = {name: Recorder(name, pipeline.callable_of(name), probe) for name in MODELS}
    meeting = _Meeting(wanted=bool(pipeline.config.parallel_f0))
    estimate, plain = pipeline.f0, pipeline.callable_of("content")
    search: Any = getattr(pipeline, "search", None)  # not every pipeline has one
    searching = threading.local()

    def content(*rows: Tensor) -> Any:
        if getattr(searching, "on", False):  # its passes are no chunks of the recording
            return plain(*rows)
        meeting.wait()
        return recorders["content"](*rows)

    def searched(mel: Tensor) -> float:
        searching.on = True
        try:
            run.searches.append((mel, search(mel)))
        finally:
            searching.on = False
        return run.searches[-1][1]

    def f0(*arguments: Any) -> Any:
        run.f0_threads.append(threading.get_ident())
        if threading.get_ident() != caller:
            meeting.wait()
        with crowd.aside():
            return estimate(*arguments)

    caller = threading.get_ident()
    for name, recorder in recorders.items():
        pipeline.replace_callable(name, content if name == "content" else recorder)
    pipeline.f0 = f0
    if search is not None:
        pipeline.search = searched
    try:
        yield recorders
    finally:
        for name, recorder in recorders.items():
            pipeline.replace_callable(name, recorder.restore())
            run.rows[name] = recorder.inputs
        pipeline.f0 = estimate
        if search is not None:
            pipeline.search = search
        run.rows["model"] = recorders["model"].inputs[run.rehearsal :]
        run.mels, run.met = recorders["model"].outputs[run.rehearsal :], meeting.met


def _convert_again(pipeline: Any, text: str, options: dict[str, Any], run: ConversionRun) -> None:
    """Convert once more, and record the calls."""
    crowd = AsideCrowd(1)
    with _recorded(pipeline, RuntimeProbe(crowd), run, crowd):
        pipeline.synthesize(text, options)


def _release(hooks: Hooks) -> None:
    for handle in hooks.handles:
        handle.remove()


@contextmanager
def _counting(estimators: Counter[str]) -> Iterator[None]:
    """Count the calls of the packages that estimate F0."""
    with ExitStack() as stack:
        for method, module, place in PACKAGES:
            if module in sys.modules:
                stack.enter_context(_counted(sys.modules[module], place, method, estimators))
        yield


@contextmanager
def _counted(module: Any, place: str, method: str, estimators: Counter[str]) -> Iterator[None]:
    *owners, name = place.split(".")
    owner = module
    for each in owners:
        owner = getattr(owner, each)
    original: Callable[..., Any] = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        estimators[method] += 1
        return original(*arguments, **named)

    setattr(owner, name, counted)
    try:
        yield
    finally:
        setattr(owner, name, original)


def voiced_pitch(run: ConversionRun) -> np.ndarray:
    """Return the pitch of every voiced frame that the decoder was given, log F0 (N,)."""
    parts = [call[1][call[2] > 0.5].float().cpu().numpy() for call in run.rows.get("model", [])]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def moved_mel(run: ConversionRun, seen: ConversionSeen) -> tuple[float, float]:
    """Return how far the vocoder's mel is from the decoder's, in voiced and in other frames."""
    sums = [0.0, 0.0]
    for rows, heard, mel in zip(run.rows["model"], run.rows["vocoder"], run.mels, strict=False):
        plain = mel.float() * seen.voice.mel_std + seen.voice.mel_mean
        apart = (heard[0].float() - plain).square().sum(dim=-1)
        voiced = rows[2] > 0.5
        sums[0] += float(apart[voiced].sum())
        sums[1] += float(apart[~voiced].sum())
    return math.sqrt(sums[0]), math.sqrt(sums[1])


def target_embedding(seen: ConversionSeen) -> Tensor | None:
    """Return the embedding that the decoder was given, (voice,); None if they differ."""
    given = [row for call in seen.run.rows["model"] for row in call[3].float().cpu()]
    same = bool(given) and all(torch.equal(row, given[0]) for row in given)
    return given[0] if same else None


def search_heeded(run: ConversionRun) -> tuple[float | None, bool]:
    """
    Return the warp that was found, None without a search, and whether the content encoder was given
    the spectrum so warped.
    """
    if not run.searches:
        return None, False
    mel, factor = run.searches[0]
    expected = warp(mel, factor).float().cpu()
    given = [row.float().cpu() for call in run.rows["content"] for row in call[0]]
    heeded = any(  # workers may take the first chunk as any of their calls
        torch.allclose(row, expected[: len(row)], atol=WARP_TOLERANCE) for row in given
    )
    return factor, heeded
