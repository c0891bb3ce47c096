# ruff: noqa: E501
"""
Lies that voice projects have told about themselves, planted in engines, and the name by which each
is caught: `python -m tests.studies.planted_lies` prints the table of docs/evidence/planted-lies.md.

Each engine is a real target, run by the real worker and judged without a baseline unless a lie
needs one. The workers run in this process. Python engines tell their own time.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np

from tests.harness.in_process import ALONE, ChildHere
from tests.harness.targets.command.programs import program
from tests.harness.targets.speech_servers import Reply, fake_server, wav
from voxgate import Suite, Target
from voxgate.harness.analysis.aggregate import Scores, aggregate
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.judging.baseline import Baseline, of_run
from voxgate.harness.judging.judge import judge
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.metrics.levels import no_speech
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Value
from voxgate.harness.records.run import FailureKind, Run
from voxgate.harness.records.verdict import RunVerdict, Verdict
from voxgate.harness.runner import run_folder, worker, worker_pool
from voxgate.harness.runner.runner import run_suite
from voxgate.harness.targets.http.target import URL

MODULE = "tests.studies.planted_lies"
NOTHING = Baseline(quality=None, speed=None)
TEXTS = {"short": "One.", "long": "One two three four five six seven."}
WORD_S = 0.5
RATE_HZ = 16_000


class Engine(Target):
    """An honest engine: half a second of voiced sound for each word, of 100 ms each."""

    sample_rate_hz = RATE_HZ
    cost_s = 0.1

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.options: dict[str, Any] = {}
        self.calls = 0

    def load(self, cell: Any, defaults: Any) -> None:
        self.options = dict(cell.options)

    def effective(self) -> dict[str, Any]:
        return dict(self.options)

    def synthesize(self, request: Any, watch: Any) -> Iterator[np.ndarray]:
        options = {**self.options, **request.options}
        words = len(request.text.split())
        with watch("acoustic"):
            self.clock.advance(self.time_s(words))
        self.calls += 1
        yield self.speech(words, options)

    def time_s(self, words: int) -> float:
        return self.cost_s * words

    def speech(self, words: int, options: Mapping[str, Any]) -> np.ndarray:
        pitch_hz = 120 + int(options.get("seed", 0)) + int(10 * options.get("cfg_weight", 0.5))
        return hum(words, pitch_hz)


def hum(words: int, pitch_hz: float = 120.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Voiced sound that rises and falls with each word, float32 (n,)."""
    time_s = np.arange(round(WORD_S * words * rate_hz)) / rate_hz
    voiced = sum(np.sin(2 * np.pi * k * pitch_hz * time_s) / k for k in range(1, 6))
    return np.asarray(0.1 * voiced * np.sin(np.pi * time_s / WORD_S) ** 2, dtype=np.float32)


class Noise(Engine):
    def speech(self, words: int, options: Mapping[str, Any]) -> np.ndarray:
        count = round(WORD_S * words * RATE_HZ)
        return (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


class OtherRate(Engine):
    """Its audio has 48,000 samples a second; it tells 44,100, and so 8.8 % more audio."""

    sample_rate_hz = 44_100

    def effective(self) -> dict[str, Any]:
        return {**self.options, "sample_rate": 48_000}

    def speech(self, words: int, options: Mapping[str, Any]) -> np.ndarray:
        return hum(words, rate_hz=48_000)


class SilentRate(OtherRate):
    """The same, and it names the true rate nowhere."""

    def effective(self) -> dict[str, Any]:
        return dict(self.options)


class TrueRate(SilentRate):
    sample_rate_hz = 48_000


class CachedSeed(Engine):
    """Draws its noise once, whatever the seed is."""

    def speech(self, words: int, options: Mapping[str, Any]) -> np.ndarray:
        return hum(words)


class Autocast(Engine):
    """A real network, always under autocast."""

    dtype = "bfloat16"

    def load(self, cell: Any, defaults: Any) -> None:
        import torch

        super().load(cell, defaults)
        self.torch, self.layer = torch, torch.nn.Linear(8, 8).eval()

    def speech(self, words: int, options: Mapping[str, Any]) -> np.ndarray:
        enabled = self.dtype != "float32"
        dtype = getattr(self.torch, self.dtype) if enabled else self.torch.bfloat16
        with (
            self.torch.inference_mode(),
            self.torch.autocast("cpu", dtype=dtype, enabled=enabled),
        ):
            self.layer(self.torch.ones(4, 8))
        return hum(words)


class NoAutocast(Autocast):
    dtype = "float32"


class CrashingGuidance(Engine):
    def speech(self, words: int, options: Mapping[str, Any]) -> np.ndarray:
        if options["cfg_weight"] == 0:
            raise RuntimeError("Sizes of tensors must match except in dimension 0")
        return super().speech(words, options)


class UnreadRegion(Engine):
    """Accepts `region`, and reads it nowhere."""


class SlowFirst(Engine):
    """The first call of a process takes ten times as long."""

    def time_s(self, words: int) -> float:
        return self.cost_s * words * (10 if self.calls == 0 else 1)


class FixedCost(Engine):
    """A short text is synthesised again and again until it is long enough."""

    def time_s(self, words: int) -> float:
        return 1.5 if words == 1 else self.cost_s * words


class Leak(Engine):
    """Every call registers a hook more."""

    def time_s(self, words: int) -> float:
        return self.cost_s * words * (1 + 0.003 * self.calls)


@dataclass(frozen=True, slots=True)
class Judged:
    """A measured run and its verdict."""

    run: Run
    verdict: RunVerdict

    def failed(self, cell: str) -> str:
        """Return the option that was not in effect, or the kind of the failure; empty if none."""
        for process in self.run.processes:
            if process.cell == cell and process.failure is not None:
                broken = [check.option for check in process.effects if check.in_effect is False]
                kind = process.failure.kind
                return f"check {broken[0]}" if broken else f"failure {FailureKind(kind).value}"
        return ""

    def named(self, cell: str) -> list[str]:
        """Return the kinds of remarks, and the metrics that failed or regressed."""
        found = next(each for each in self.verdict.cells if each.cell == cell)
        wrong = (Verdict.FAILED, Verdict.REGRESSED)
        return [
            *(f"remark {remark.kind.value}" for remark in found.remarks),
            *(f"{m.verdict.value} {m.metric}" for m in found.metrics if m.verdict in wrong),
        ]


def measured(engine: type[Engine] | None, folder: Path, **suite_of: Any) -> Run:
    """Measure an engine by the real worker."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [f'[[request]]\nid = "{name}"\ntext = "{text}"\n' for name, text in TEXTS.items()]
    (folder / "texts.toml").write_text("\n".join(texts))
    target = {} if engine is None else {"target": f"{MODULE}:{engine.__name__}"}
    cells = {} if "axes" in suite_of else {"cells": [{}]}
    suite = Suite(
        **{
            "workload": str(folder / "texts.toml"),
            "name": "lie",
            "repeats": 2,
            **target,
            **cells,
            **suite_of,
        }
    )
    out = folder / f"run{len(list(folder.glob('run*')))}"
    with _in_this_process():
        assert run_suite(suite, suite.expand().cells, ALONE, out, stages=False, energy=False)
    return run_folder.load_run(out)


@contextlib.contextmanager
def _in_this_process() -> Iterator[None]:
    class Child(ChildHere):
        said: ClassVar[list[str]] = []

    with (
        mock.patch.object(worker_pool, "WorkerProcess", Child),
        # 0.2 s each with torch, and not timed
        mock.patch.object(worker, "no_garbage_collection", contextlib.nullcontext),
    ):
        yield


def judged(run: Run, base: Run | None = None) -> Judged:
    """Judge a run, by `no_speech` and what needs no score, without a baseline or with a run."""
    baseline = NOTHING if base is None else of_run(base, aggregate(base, _scores(base)))
    policy = read_policy(DEFAULT, shown_metrics())
    return Judged(run, judge(run, aggregate(run, _scores(run)), baseline, policy))


def _scores(run: Run) -> Scores:
    scores: dict[tuple[str, str], dict[str, Value]] = {}
    for process in run.processes:
        for call in process.iterations:
            if call.audio_file is not None:
                audio = read_recording(Path(run.folder) / call.audio_file)
                found = no_speech(MetricInput(audio=audio))
                scores[call.cell, call.request] = {"no_speech": found}
    return scores


def _python(engine: type[Engine], cell: str, **suite_of: Any) -> Callable[[Path], list[str]]:
    def found(folder: Path) -> list[str]:
        told = judged(measured(engine, folder, **suite_of))
        return [*filter(None, [told.failed(cell)]), *told.named(cell)]

    return found


def _silent_rate(folder: Path) -> list[str]:
    base = measured(TrueRate, folder)
    return judged(measured(SilentRate, folder), _as(base, SilentRate)).named("default")


def _as(base: Run, engine: type[Engine]) -> Run:
    """Return the run as one of another engine of the same name, as after a change of its code."""
    target = f"{MODULE}:{engine.__name__}"
    return replace(base, cells=tuple(replace(cell, target=target) for cell in base.cells))


def _cold_start(folder: Path) -> list[str]:
    """Return the metrics of the honest engine that the slow first call moves: one."""
    honest, slow = (
        {m.metric: m.summary for m in aggregate(measured(each, folder), {})["default"]}
        for each in (Engine, SlowFirst)
    )
    return [
        name for name, value in honest.items() if isinstance(value, float) and slow[name] != value
    ]


def _command(
    code: str, cell: str, words: Sequence[str] = (), **suite_of: Any
) -> Callable[[Path], list[str]]:
    def found(folder: Path) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        path = program(folder, code)
        command = [path, "--text", "{text}", "--out", "{wav}", *words]
        run = measured(None, folder, target="command", command=command, **suite_of)
        told = judged(run)
        return [*filter(None, [told.failed(cell)]), *told.named(cell)]

    return found


LINES = """
print(json.dumps({"voxgate": 1, "sample_rate_hz": 48000, "effective": {"sample_rate": 44100}}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    write(asked["wav"], asked["text"], rate_hz=48000)
    print(json.dumps({"done": True, "wav": asked["wav"]}), flush=True)
"""


def _lines(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    command = [program(folder, LINES)]
    run = measured(None, folder, target="command", command=command, protocol="lines", repeats=1)
    return [judged(run).failed("default")]


def _server(
    reply: Callable[[dict[str, Any]], Reply], cell: str, card: Mapping[str, Any], **suite_of: Any
) -> Callable[[Path], list[str]]:
    def found(folder: Path) -> list[str]:
        models = {"object": "list", "data": [{"id": "tiny", **card}]}
        with fake_server(reply, models) as fake, mock.patch.dict(os.environ, {URL: fake.url}):
            run = measured(None, folder, target="http", pipeline="speech", repeats=1, **suite_of)
        told = judged(run)
        return [*filter(None, [told.failed(cell)]), *told.named(cell)]

    return found


def _noise_reply(asked: dict[str, Any]) -> Reply:
    words = len(str(asked["input"]).split())
    return Reply(parts=(wav(Noise().speech(words, {}), RATE_HZ),))


def _hum_reply(rate_hz: int) -> Callable[[dict[str, Any]], Reply]:
    def reply(asked: dict[str, Any]) -> Reply:
        return Reply(parts=(wav(hum(len(str(asked["input"]).split()), rate_hz=rate_hz), rate_hz),))

    return reply


@dataclass(frozen=True, slots=True)
class Lie:
    """A lie, where it was met, the engine's kind, its name in the verdict, and how to find it."""

    lie: str
    met: str
    engine: str
    name: str
    found: Callable[[Path], list[str]]


STACK = 'an "optimised" engine of a reel maker'
FORK = "a fork of a token pipeline"
SPANISH = "a Spanish diffusion engine"
REGIONS = {"axes": {"region": ["es-ES", "es-AR"]}}
SEEDS = {"axes": {"seed": [1, 2]}}
LIES: Sequence[Lie] = (
    Lie("noise of words x 0.5 s in place of speech", STACK, "Python", "FAILED no_speech", _python(Noise, "default")),
    Lie("the same", STACK, "http", "FAILED no_speech", _server(_noise_reply, "default", {})),
    Lie("RTF by 44.1 kHz, audio at 48 kHz", STACK, "Python", "check sample_rate", _python(OtherRate, "default")),
    Lie("the same, the true rate told nowhere, after an honest baseline", STACK, "Python", "REGRESSED duration", _silent_rate),
    Lie("the same", STACK, "command (lines)", "check claimed.sample_rate", _lines),
    Lie("the same", STACK, "http", "check server.sample_rate", _server(_hum_reply(48_000), "default", {"options": {"sample_rate": 44_100}})),
    Lie("a seed that is cached away", FORK, "Python", "remark unobserved_option", _python(CachedSeed, "seed-2", **SEEDS)),
    Lie("the same", FORK, "command", "check seed", _command('write(option("--out"), option("--text"))\n', "seed-2", ["--seed", "{seed}"], repeats=1, **SEEDS)),
    Lie("the same", FORK, "http", "check seed", _server(_hum_reply(RATE_HZ), "seed-2", {}, **SEEDS)),
    Lie("autocast forced on, precision=fp32", FORK, "Python, torch", "check precision", _python(Autocast, "precision-fp32", axes={"precision": ["fp32"]})),
    Lie("cfg_weight=0 crashes", FORK, "Python", "failure error", _python(CrashingGuidance, "cfg_weight-0.0", axes={"cfg_weight": [0.5, 0.0]})),
    Lie("a setting that nobody reads", SPANISH, "Python", "remark unobserved_option", _python(UnreadRegion, "region-es-ar", **REGIONS)),
    Lie("the same", SPANISH, "command", "remark unobserved_option", _command('write(option("--out"), option("--text"))\n', "region-es-ar", ["--region", "{region}"], repeats=1, **REGIONS)),
    Lie("a cold start in the first sample", SPANISH, "Python", "cold_start", _cold_start),
    Lie("\"very short\" slower than \"medium\"", SPANISH, "Python", "remark shorter_is_slower", _python(FixedCost, "default")),
    Lie("hooks that pile up call after call", "a published multilingual package", "Python", "remark in_process_drift", _python(Leak, "default", iterations=20)),
)  # fmt: skip


def main() -> None:
    print("| lie | met in | engine | caught as |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for number, lie in enumerate(LIES):
            told = lie.found(Path(folder) / str(number))
            mark = f"`{lie.name}`" if lie.name in told else f"**not as `{lie.name}`**"
            print(f"| {lie.lie} | {lie.met} | {lie.engine} | {mark} |", flush=True)


if __name__ == "__main__":
    main()
