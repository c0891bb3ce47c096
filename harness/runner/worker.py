"""
Measure one repeat of one cell in a process of its own, one command at a time.
`python -m voxgate.harness.runner.worker REQUEST.json`

The parent writes one JSON command per line to standard input. The worker executes it, appends its
records to the log of the process, and answers one JSON line: {"done": ...}, or {"failed": {"kind",
"reason"}}, after which it exits. Between commands it waits and uses no CPU. It decides nothing; it
records which options were in effect, and whether the same seed gave the same audio. Of a cell that
is sampled it keeps each take, and of another engine without a seed that speaks differently each
time, several. Of one that marks its audio, it keeps what was delivered and the audio before.

    {"do": "load", "alone": true}                        import and load; `alone`: no other process
                                                         was running, so this is a true cold start
    {"do": "iterate", "phase": "first|warmup|measured|take", "request": "u001", "take": 0}
    {"do": "observe", "request": "u001"}                 record effective options; fails if one is
                                                         not as requested
    {"do": "pin"}                                        move to the CPU reserved for measuring
    {"do": "energy"}                                     measure energy, idle and at work, in a pass
                                                         that is not timed
    {"do": "stages", "request": "u001"}                  profile the stages, in a pass that is not
                                                         timed as a whole
    {"do": "finish"}                                     record memory peaks; the worker exits

A side of a comparison checks after its first synthesis, when it is warm, and at its end that all
files it opened were its own.
"""

import hashlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness.machine.checks.check import SystemRoot, here
from voxgate.harness.machine.clock import WallClock, unix_s
from voxgate.harness.machine.interference import FIXED_WORK, DisturbanceWatch, fixed_work_s
from voxgate.harness.machine.power_meter import device_of, find_meter, measure_energy
from voxgate.harness.records.cell import Option, Request
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.measurement import Missing
from voxgate.harness.records.run import (
    Energy,
    Failure,
    FailureKind,
    Iteration,
    OptionCheck,
    Phase,
    StageProfile,
)
from voxgate.harness.runner.engine_side import engine_side
from voxgate.harness.runner.failures import NotInEffectError, UnwritableError, classify, writing
from voxgate.harness.runner.kept_takes import KeptTakes, seed_of
from voxgate.harness.runner.process_files import WorkerLog, trace_log
from voxgate.harness.runner.timing import (
    Timing,
    check_captions,
    freeze_gc,
    latency_checks,
    no_garbage_collection,
    trace_of,
)
from voxgate.harness.runner.worker_channel import WorkerRequest, claim_stdout, read_job
from voxgate.harness.targets.witness import (
    changed_audio,
    check_rates,
    check_seed,
    unchecked,
)

Record = dict[str, object]


class Worker:
    """Carries out commands for one job."""

    def __init__(
        self, job: WorkerRequest, log: WorkerLog, age_s: float, tree: SystemRoot | None = None
    ) -> None:
        self._job = job
        self._log = log
        self._age_s = age_s
        self._tree = tree or here()
        self._iteration = job.iterations_before
        self._requests: Mapping[str, Request] = {
            request.id: request.in_folder(job.folder) for request in job.cell.workload.requests
        }
        self._kept = KeptTakes(job.folder, job.cell.slug, job.known)
        self._latency: tuple[OptionCheck, ...] = ()  # of the last live conversion
        self._engine = engine_side(
            job.cell,
            job.defaults,
            launch=job.engine,
            stderr=job.log.with_name(f"{job.log.stem}.stderr"),
            cpus=job.cpus,
            listen=job.territory is not None,
        )
        self._engine.keeps_stages = job.spans
        self._traces = trace_log(job.folder, job.cell.slug, job.repeat) if job.spans else None
        # several wait for each other anyway
        alone = job.defaults.get("threads", 1) == 1 == job.cell.options.get("workers", 1)
        self._watch: DisturbanceWatch | None = DisturbanceWatch(cpu=job.cpu) if alone else None
        self._commands: Mapping[str, Callable[[Mapping[str, Any]], Record]] = {
            "load": self._load,
            "iterate": self._iterate,
            "observe": self._observe,
            "pin": self._pin,
            "energy": self._energy,
            "stages": self._stages,
            "finish": self._finish,
        }

    def handle(self, command: Mapping[str, Any]) -> Record:
        """Carry out one command; what goes wrong is recorded and answered, never raised."""
        try:
            answer = self._commands[command["do"]](command)
        except Exception as error:
            failure = classify(error, str(command.get("request", "")))
            traceback.print_exception(error)  # to the process's .stderr file
            failure = self._recorded(failure)
            return {"failed": to_json(failure)}
        return {"done": command["do"], **answer}

    def _recorded(self, failure: Failure) -> Failure:
        """Record a failure, unless it is that nothing can be; return what is to be answered."""
        if failure.kind is FailureKind.DISK:
            return failure
        try:
            self._note({"kind": "failure", "failure": to_json(failure)})
        except UnwritableError as error:  # what failed will be tried again, and said again
            return classify(error)
        return failure

    def _note(self, record: Mapping[str, object]) -> None:
        """Append a record. Raises UnwritableError."""
        with writing():
            self._log.append(record)

    def _load(self, command: Mapping[str, Any]) -> Record:
        times = self._engine.load(self._age_s)
        if self._engine.virtual:
            self._watch = None  # what real time was lost has no share in a time that is told
        elif self._watch is not None:
            self._watch = self._engine.watch(self._job.cpu)
        told = {"import_s": times.import_s, "load_s": times.load_s, "alone": bool(command["alone"])}
        self._note({"kind": "loaded", **told, "effective": dict(self._engine.effective())})
        freeze_gc()
        return {}

    def _iterate(self, command: Mapping[str, Any]) -> Record:
        take = int(command.get("take", 0))
        request = self._of_take(self._requests[command["request"]], take)
        began_s = unix_s()
        with no_garbage_collection():
            timing = self._time(request)
        settled = self._engine.settled()
        phase = Phase(command["phase"])
        if phase in (Phase.WARMUP, Phase.MEASURED) and not settled:
            phase = Phase.COMPILE
        if self._traces is not None:
            with writing():
                place = (self._job.cell.slug, self._job.repeat, self._iteration)
                self._traces.append(to_json(trace_of(place, phase, request, timing, began_s)))
        self._record(phase, request, timing, take)
        if phase is Phase.FIRST:
            self._prove()
        return {"wall_s": timing.wall_s, "settled": settled}

    def _of_take(self, request: Request, take: int) -> Request:
        """Return the request with the seed of a take; as it is where the engine has no seed."""
        seed = self._seed(request)
        if not take or not isinstance(seed, int) or isinstance(seed, bool):
            return request
        return replace(request, options={**request.options, "seed": seed_of(seed, take)})

    def _time(self, request: Request) -> Timing:
        """
        Time one synthesis, with what disturbed it; the kernel's counters are read outside of the
        timed interval, and the fixed work is done behind it.
        """
        if self._watch is None:
            return self._engine.synthesize(request)
        self._watch.start()
        timing = self._engine.synthesize(request)
        growths = self._watch.stop()
        pace = {FIXED_WORK: fixed_work_s()} if growths else {}
        return replace(timing, disturbance={**growths, **pace})

    def _record(self, phase: Phase, request: Request, timing: Timing, take: int = 0) -> None:
        audio = timing.audio if timing.unmarked is None else timing.unmarked
        digest = _digest(audio)
        again = phase is Phase.MEASURED or (phase is Phase.TAKE and take == 0)
        differs = again and self._kept.differs(request.id, audio, digest)
        file = self._name(phase, request, take, differs=differs)
        if file is not None:
            self._kept.keep(file, audio, self._engine.sample_rate_hz)
        marked_file = None
        if file is not None and timing.unmarked is not None and (take or self._is_first(request)):
            marked_file = self._kept.name(request.id, take or None, marked=True)
            self._kept.keep(marked_file, timing.audio, self._engine.sample_rate_hz)
        audio_s = len(timing.audio) / self._engine.sample_rate_hz
        iteration = Iteration(
            cell=self._job.cell.slug,
            repeat=self._job.repeat,
            iteration=self._iteration,
            phase=phase,
            request=request.id,
            wall_s=timing.wall_s,
            audio_s=audio_s,
            first_audio_s=timing.first_audio_s,
            stages_s=timing.stages_s,
            audio_sha256=digest,
            audio_file=file,
            disturbance=timing.disturbance,
            joins_s=self._engine.chunk_boundaries_s,
            chunks=timing.chunks,
            marked_file=marked_file,
            marked_sha256=None if marked_file is None else _digest(timing.audio),
            captions=check_captions(request, self._engine.captions, audio_s),
            notices=timing.notices,
            live=timing.live,
            take=take,
            seed=self._seed(request) if self._job.sampled else None,
        )
        self._note({"kind": "sample", "sample": to_json(iteration)})
        self._iteration += 1
        if phase is Phase.MEASURED:
            self._kept.heard.setdefault(request.id, digest)
        self._check_live(timing)
        seed = self._seed(request)
        if differs and seed is not None:
            self._require_in_effect((changed_audio(request, seed),))

    def _check_live(self, timing: Timing) -> None:
        """Keep the latency, to be observed. Raises NotInEffectError for more than declared."""
        self._latency = latency_checks(timing)
        if any(check.in_effect is False for check in self._latency):
            self._require_in_effect(self._latency)

    def _is_first(self, request: Request) -> bool:
        return request.id not in self._kept.heard

    def _name(self, phase: Phase, request: Request, take: int, *, differs: bool) -> str | None:
        """
        Return where the audio is to be kept: the first of a request, and each further take; of an
        engine without a seed that nobody called sampled, one more of every process that differs.
        """
        if phase is Phase.TAKE:
            return self._kept.name(request.id, take) if take else None
        if phase is not Phase.MEASURED:
            return None
        if self._is_first(request):
            return self._kept.name(request.id)
        name = self._kept.name(request.id, self._job.repeat)
        seeded = self._seed(request) is not None or self._job.sampled
        return None if not differs or seeded or self._kept.has(name) else name

    def _seed(self, request: Request) -> Option | None:
        """
        Return the seed that was asked for or that the engine tells of; None where there is none to
        keep a promise about.
        """
        return {**self._engine.effective(), **self._job.cell.options, **request.options}.get("seed")

    def _observe(self, command: Mapping[str, Any]) -> Record:
        request = self._requests[command["request"]]
        checks = self._engine.observe(request)
        rates = check_rates(self._engine.effective(), self._engine.sample_rate_hz)
        checks = self._with_seed(request, (*checks, *rates))
        self._require_in_effect((*checks, *self._latency))
        return {}

    def _with_seed(
        self, request: Request, checks: tuple[OptionCheck, ...]
    ) -> tuple[OptionCheck, ...]:
        """
        Return the checks with that of a requested seed of which the target observed nothing; once
        for all processes of a cell.
        """
        seed = {**self._job.cell.options, **request.options}.get("seed")
        if seed is None or self._job.repeat or not unchecked({"seed"}, checks):
            return checks
        found = check_seed(request, seed, lambda each: self._engine.synthesize(each).audio)
        if found is None:
            return checks
        return (*(check for check in checks if check.option != "seed"), found)

    def _require_in_effect(self, effects: tuple[OptionCheck, ...]) -> None:
        """Record what is in effect. Raises NotInEffectError if it is not what was asked."""
        self._note({"kind": "effects", "effects": [to_json(effect) for effect in effects]})
        broken = [
            f"asked for {e.option}={e.requested}, in effect {e.observed}: {e.reason}"
            for e in effects
            if e.in_effect is False
        ]
        if broken:
            raise NotInEffectError("; ".join(broken))

    def _pin(self, _command: Mapping[str, Any]) -> Record:
        """
        Move every thread, also those that libraries started, to the CPU for measuring; nothing more
        will be compiled.
        """
        self._prove()
        self._engine.stop_listening()
        self._engine.freeze()
        if self._job.cpu is not None:
            self._engine.pin(self._job.cpu)
        return {}

    def _energy(self, _command: Mapping[str, Any]) -> Record:
        self._note({**to_json(self._weighed()), "kind": "energy"})
        return {}

    def _weighed(self) -> Energy | Missing:
        """Measure the energy of the process; in virtual time, power has no meaning."""
        if self._engine.virtual:
            return Missing("no power: the target tells its own time")
        meter = find_meter(self._tree, device_of(self._job.cell, self._job.defaults))
        return meter if isinstance(meter, Missing) else measure_energy(meter, self._speak)

    def _speak(self) -> float:
        """Speak the whole workload once; gives its seconds of audio."""
        frames = [
            len(self._engine.synthesize(request).audio) for request in self._requests.values()
        ]
        return sum(frames) / self._engine.sample_rate_hz

    def _stages(self, command: Mapping[str, Any]) -> Record:
        profile = self._staged(self._requests[command["request"]])
        self._note({**to_json(profile), "kind": "stages"})
        return {}

    def _staged(self, request: Request) -> StageProfile | Missing:
        """Profile the stages; a failure of the profile leaves the measurements intact."""
        try:
            return self._engine.profile(request)
        except Exception as error:
            if classify(error).kind is FailureKind.DISK:
                raise
            traceback.print_exception(error)
            return Missing(f"no stage pass: {classify(error).reason}")

    def _finish(self, _command: Mapping[str, Any]) -> Record:
        self._prove()
        self._note({"kind": "finished", **self._engine.peaks()})
        self._engine.end()
        return {}

    def _prove(self) -> None:
        """Record that all files were the side's own. Raises ForeignFilesError if not."""
        if self._job.territory is not None:
            count = self._engine.check_files(self._job.territory, [self._job.folder])
            self._log.append({"kind": "proof", "files": count})


def _digest(audio: np.ndarray) -> str:
    return hashlib.sha256(audio.tobytes()).hexdigest()


def main(arguments: list[str]) -> int:
    """Serve commands until `finish`, a failure, or the parent's end."""
    age_s = WallClock().process_age_s()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = claim_stdout()
    handle = _opened(read_job(Path(arguments[0])), age_s)
    for line in sys.stdin:
        answer = handle(json.loads(line))
        print(json.dumps(answer), file=answers, flush=True)
        if "failed" in answer or answer["done"] == "finish":
            break
    return 0


def _opened(job: WorkerRequest, age_s: float) -> Callable[[Mapping[str, Any]], Record]:
    """
    Return what carries out commands; where the log cannot be opened, that is the answer to the
    first.
    """
    if job.cpus:
        # the parent keeps off the CPU for measuring, and we began with its rights
        os.sched_setaffinity(0, job.cpus)
    try:
        with writing():
            log = WorkerLog(job.log)
    except UnwritableError as error:
        failure = classify(error)
        return lambda command: {"failed": to_json(failure)}
    return Worker(job, log, age_s).handle


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
