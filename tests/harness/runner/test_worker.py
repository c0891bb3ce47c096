"""The worker, carried out in this process on the scripted target."""

import errno
import hashlib
import json
import os
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxgate import Suite
from voxgate.harness.audio.files import read_audio, write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.clock import VirtualClock
from voxgate.harness.machine.interference import FIXED_WORK, DisturbanceWatch
from voxgate.harness.records.cell import Request
from voxgate.harness.records.run import (
    AudioChunk,
    ColdStart,
    Failure,
    FailureKind,
    Phase,
    ProcessRecord,
    SynthesisNotice,
)
from voxgate.harness.runner import engine_side, process_files
from voxgate.harness.runner.failures import classify
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.timing import time_synthesis, timing_of
from voxgate.harness.runner.worker import Worker
from voxgate.harness.runner.worker_channel import WorkerRequest, read_job
from voxgate.harness.targets.other_python.connection import EngineAbroadError
from voxgate.harness.targets.protocol import ForwardingTarget, StageWatch
from voxgate.harness.targets.scripted import ScriptedTarget

Make = Callable[..., Suite]
Script = Callable[[dict[str, Any]], None]
LOAD = {"do": "load", "alone": True}
FIRST = {"do": "iterate", "phase": "first", "request": "r1"}
MEASURE = {"do": "iterate", "phase": "measured", "request": "r1"}


def job(suite: Suite, folder: Path, **changes: Any) -> WorkerRequest:
    (folder / "processes").mkdir(exist_ok=True)
    cell = suite.expand().cells[0]
    asked = {
        "known": {},
        "iterations_before": 0,
        "cpus": (),
        "cpu": None,
        "defaults": {"device": "cpu"},
        "repeat": 0,
    }
    return WorkerRequest(
        **{
            **asked,
            "cell": cell,
            "folder": folder,
            "log": process_files.log_path(folder, cell.slug, 0),
            **changes,
        }
    )


def handle(
    job: WorkerRequest, *commands: dict[str, object]
) -> tuple[list[dict[str, Any]], ProcessRecord]:
    log = WorkerLog(job.log)
    worker = Worker(job, log, age_s=0.0)
    answers = [worker.handle(command) for command in commands]
    log.close()
    record = process_files.load_process(job.folder, job.cell.slug, job.repeat)
    assert record is not None
    return answers, record


def test_a_process_leaves_a_whole_record(make_suite: Make, tmp_path: Path) -> None:
    commands = (
        LOAD,
        FIRST,
        {"do": "observe", "request": "r1"},
        {"do": "pin"},
        MEASURE,
        {"do": "finish"},
    )
    answers, record = handle(job(make_suite(), tmp_path), *commands)
    assert [answer["done"] for answer in answers] == [
        "load",
        "iterate",
        "observe",
        "pin",
        "iterate",
        "finish",
    ]
    assert answers[4]["wall_s"] == pytest.approx(0.1)
    assert answers[4]["settled"]
    assert record.finished
    assert record.cold == ColdStart(import_s=0.0, load_s=0.5, first_synthesis_s=pytest.approx(0.1))
    assert [sample.phase for sample in record.iterations] == [Phase.FIRST, Phase.MEASURED]
    assert record.iterations[1].stages_s == pytest.approx(
        {"text": 0.005, "content": 0.005, "acoustic": 0.06, "vocoder": 0.03}
    )
    assert record.effective["steps"] == 8
    assert record.effective["seed"] == 0, "options that nobody asked for are recorded too"
    assert [(effect.option, effect.requested, effect.in_effect) for effect in record.effects] == [
        ("audio_s", 0.1, True),
        ("steps", 8, True),
    ]


def test_measured_audio_is_kept_once_and_unchanged(make_suite: Make, tmp_path: Path) -> None:
    asked = job(make_suite(), tmp_path)
    _, record = handle(asked, LOAD, FIRST, MEASURE, MEASURE)
    assert [sample.audio_file for sample in record.iterations] == [
        None,
        "audio/steps-8/r1.wav",
        None,
    ]
    audio, rate_hz = read_audio(tmp_path / "audio/steps-8/r1.wav")
    target = ScriptedTarget()
    target.load(asked.cell, {})
    timing = time_synthesis(target, asked.cell.workload.requests[0], target.clock)
    assert rate_hz == target.sample_rate_hz
    np.testing.assert_array_equal(audio, timing.audio)


def test_an_iteration_that_compiles_is_recorded_as_such(make_suite: Make, tmp_path: Path) -> None:
    suite = make_suite(fixed={"compile": 3})
    answers, record = handle(
        job(suite, tmp_path), LOAD, FIRST, {**MEASURE, "phase": "warmup"}, MEASURE, MEASURE
    )
    assert [answer.get("settled") for answer in answers] == [None, False, False, False, True]
    assert [sample.phase for sample in record.iterations] == [
        Phase.FIRST,
        Phase.COMPILE,
        Phase.COMPILE,
        Phase.MEASURED,
    ]
    assert [sample.wall_s for sample in record.iterations] == pytest.approx([1.0, 1.0, 1.0, 0.1])


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("refuse", "refused", "fault=refuse asks for a refusal; use fault=none"),
        ("raise", "error", "RuntimeError: fault=raise asks for an error (targets/scripted.py:"),
        ("empty", "error", "ValueError: request r1 gave no audio (runner/timing.py:"),
        ("not finite", "error", "ValueError: request r1 gave audio with NaN or infinite frames"),
    ],
)
def test_a_failure_is_recorded_with_its_reason(
    make_suite: Make, tmp_path: Path, fault: str, kind: str, reason: str
) -> None:
    asked = job(make_suite(fixed={"fault": fault}), tmp_path)
    log = WorkerLog(asked.log)
    worker = Worker(asked, log, age_s=0.0)
    answer = worker.handle(LOAD)
    if "failed" not in answer:
        answer = worker.handle(MEASURE)
    log.close()
    record = process_files.load_process(tmp_path, "steps-8", 0)
    assert record is not None and record.failure is not None
    assert answer["failed"] == {"kind": record.failure.kind, "reason": record.failure.reason}
    assert record.failure.kind == kind
    assert record.failure.reason.startswith(reason)
    assert not any(sample.phase is Phase.MEASURED for sample in record.iterations)


def test_a_broken_promise_fails_with_what_was_asked_and_what_was_seen(
    make_suite: Make, tmp_path: Path, script: Script
) -> None:
    script({"*": {"observed": {"steps": "32"}}})
    answers, record = handle(
        job(make_suite(), tmp_path), LOAD, FIRST, {"do": "observe", "request": "r1"}
    )
    assert answers[2]["failed"] == {
        "kind": "not in effect",
        "reason": "asked for steps=8, in effect 32: as scripted",
    }
    assert [effect.in_effect for effect in record.effects] == [True, False]


def test_other_audio_from_the_same_seed_is_a_broken_promise(
    make_suite: Make, tmp_path: Path
) -> None:
    asked = job(make_suite(fixed={"fault": "nondeterministic"}), tmp_path)
    answers, record = handle(asked, LOAD, FIRST, MEASURE, MEASURE)
    reason = (
        "asked for seed=0, in effect other audio: the same seed gave different audio for request r1"
    )
    assert answers[3]["failed"] == {"kind": "not in effect", "reason": reason}
    assert len({sample.audio_sha256 for sample in record.iterations[1:]}) == 2, "both are on record"


def test_other_audio_than_an_earlier_process_gave_is_a_broken_promise(
    make_suite: Make, tmp_path: Path
) -> None:
    answers, _ = handle(job(make_suite(), tmp_path, known={"r1": "ab"}), LOAD, FIRST, MEASURE)
    assert answers[2]["failed"]["kind"] == "not in effect"


def test_what_differs_by_the_order_of_additions_is_the_same_audio(
    make_suite: Make, tmp_path: Path
) -> None:
    asked = job(make_suite(), tmp_path)
    handle(asked, LOAD, FIRST, MEASURE)
    path = tmp_path / "audio/steps-8/r1.wav"
    audio, rate_hz = read_audio(path)
    for repeat, noise, failed in ((1, 5e-7, False), (2, 3e-6, True)):
        write_wav(path, audio + np.float32(noise), rate_hz)
        again = replace(
            asked,
            repeat=repeat,
            log=process_files.log_path(tmp_path, "steps-8", repeat),
            known={"r1": "another"},
        )
        answers, _ = handle(again, LOAD, FIRST, MEASURE)
        assert ("failed" in answers[2]) is failed


def test_an_engine_without_a_seed_breaks_no_promise_and_leaves_a_take_of_each_process(
    make_suite: Make, tmp_path: Path, script: Script
) -> None:
    script({"*": {"seedless": True}})
    asked = job(make_suite(), tmp_path)
    answers, record = handle(asked, LOAD, FIRST, MEASURE, MEASURE, MEASURE)
    assert not any("failed" in answer for answer in answers)
    assert "seed" not in record.effective
    kept = [sample.audio_file for sample in record.iterations]
    assert kept == [None, "audio/steps-8/r1.wav", "audio/steps-8/takes/0/r1.wav", None]
    digest = record.iterations[1].audio_sha256
    again = replace(
        asked, repeat=1, log=process_files.log_path(tmp_path, "steps-8", 1), known={"r1": digest}
    )
    _, record = handle(again, LOAD, FIRST, MEASURE, MEASURE)
    assert [sample.audio_file for sample in record.iterations] == [
        None,
        "audio/steps-8/takes/1/r1.wav",
        None,
    ]


def test_a_seed_that_was_asked_for_is_a_promise_of_any_engine(
    make_suite: Make, tmp_path: Path, script: Script
) -> None:
    script({"*": {"seedless": True}})
    fixed = {"seed": 3, "fault": "nondeterministic", "audio_s": 0.1}
    answers, _ = handle(job(make_suite(fixed=fixed), tmp_path), LOAD, FIRST, MEASURE, MEASURE)
    assert answers[3]["failed"]["reason"].startswith("asked for seed=3, in effect other audio")


def test_an_option_of_which_nothing_was_seen_neither_holds_nor_fails(
    make_suite: Make, tmp_path: Path, script: Script
) -> None:
    script({"*": {"unobserved": ["steps"]}})
    answers, record = handle(
        job(make_suite(), tmp_path), LOAD, FIRST, {"do": "observe", "request": "r1"}
    )
    assert "failed" not in answers[2]
    assert {effect.option: effect.in_effect for effect in record.effects} == {
        "steps": None,
        "audio_s": True,
    }


def test_a_full_disk_is_answered_but_not_recorded(make_suite: Make, tmp_path: Path) -> None:
    answers, record = handle(job(make_suite(fixed={"fault": "disk"}), tmp_path), LOAD, FIRST)
    assert answers[1]["failed"] == {"kind": "disk", "reason": "No space left on device"}
    assert record.failure is None


class RealTime(ForwardingTarget):
    """The scripted engine without its clock: what it takes is real."""

    clock = None

    def __init__(self) -> None:
        super().__init__(ScriptedTarget())


def test_in_real_time_what_disturbed_an_iteration_is_on_record(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_side, "make_target", lambda name: RealTime())
    _, record = handle(job(make_suite(), tmp_path), LOAD, FIRST, MEASURE)
    watch = DisturbanceWatch()
    watch.start()
    known = set(watch.stop())
    expected = known | {FIXED_WORK}
    assert [set(sample.disturbance) for sample in record.iterations] == [expected, expected]


@pytest.mark.parametrize(
    ("threads", "workers", "watched"),
    [(1, {}, True), (1, {"workers": 1}, True), (2, {}, False), (1, {"workers": 2}, False)],
)
def test_threads_of_one_process_are_not_taken_for_others_that_disturb_it(
    make_suite: Make, tmp_path: Path, threads: int, workers: dict[str, int], watched: bool
) -> None:
    asked = job(make_suite(), tmp_path, defaults={"device": "cpu", "threads": threads})
    asked = replace(asked, cell=replace(asked.cell, fixed=workers))
    assert (Worker(asked, WorkerLog(asked.log), 0.0)._watch is not None) is watched


def test_in_told_time_nothing_disturbs(make_suite: Make, tmp_path: Path) -> None:
    _, record = handle(job(make_suite(), tmp_path), LOAD, FIRST, MEASURE)
    assert [sample.disturbance for sample in record.iterations] == [{}, {}]


def test_a_continued_process_counts_on(make_suite: Make, tmp_path: Path) -> None:
    _, record = handle(job(make_suite(), tmp_path, iterations_before=7), LOAD, FIRST, MEASURE)
    assert [sample.iteration for sample in record.iterations] == [7, 8]


@pytest.mark.parametrize(
    ("changes", "expected_s"),
    [({}, 0.1), ({"slower": 1.1}, 0.11), ({"slower": 1.1, "stage": "text"}, 0.11)],
)
def test_a_changed_engine_is_slower_by_exactly_what_the_script_says(
    make_suite: Make, script: Script, changes: dict[str, Any], expected_s: float
) -> None:
    script({"steps-8": changes, "steps-4": {"slower": 9.0}})
    cell = make_suite().expand().cells[0]
    target = ScriptedTarget()
    target.load(cell, {})
    timing = time_synthesis(target, cell.workload.requests[0], target.clock)
    assert timing.wall_s == pytest.approx(expected_s, rel=1e-12)
    slower_stage = changes.get("stage", "vocoder")
    share_s = {"text": 0.005, "vocoder": 0.03}[slower_stage]
    assert timing.stages_s[slower_stage] == pytest.approx(share_s + expected_s - 0.1)


def test_scripted_clicks_come_once_a_second(make_suite: Make, script: Script) -> None:
    cell = make_suite(fixed={"audio_s": 3.0}).expand().cells[0]

    def speak() -> np.ndarray:
        target = ScriptedTarget()
        target.load(cell, {})
        return time_synthesis(target, cell.workload.requests[0], VirtualClock()).audio

    plain = speak()
    script({"*": {"click": 0.5}})
    assert list(np.flatnonzero(speak() - plain) / 16_000) == [0.5, 1.5, 2.5]


def test_scripted_speakers_and_texts_differ_and_stay(make_suite: Make) -> None:
    cell = make_suite().expand().cells[0]
    target = ScriptedTarget()
    target.load(cell, {})
    one, two = cell.workload.requests
    first, again, other = (
        time_synthesis(target, request, target.clock).audio for request in (one, one, two)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(first).max() <= 1.0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x"), "disk"),
        (HarnessError("no"), "refused"),
        (OSError("x"), "error"),
    ],
)
def test_errors_have_a_kind(error: Exception, kind: str) -> None:
    with pytest.raises(type(error)) as caught:
        raise error
    assert classify(caught.value).kind == kind


def test_a_bug_is_reported_with_its_place_and_first_line() -> None:
    with pytest.raises(KeyError) as caught:
        json.loads("{}")["weights"]
    failure = classify(caught.value)
    assert failure == Failure(kind=FailureKind.ERROR, reason=failure.reason)
    assert failure.reason.startswith("KeyError: 'weights' (runner/test_worker.py:")


def test_a_target_that_tells_where_it_joined_chunks_is_written_down(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, record = handle(job(make_suite(), tmp_path), LOAD, MEASURE)
    assert record.iterations[-1].joins_s is None
    monkeypatch.setattr(ScriptedTarget, "chunk_boundaries_s", [0.05])
    (tmp_path / "other").mkdir()
    _, record = handle(job(make_suite(), tmp_path / "other"), LOAD, MEASURE)
    assert record.iterations[-1].joins_s == (0.05,)


def test_when_every_piece_of_audio_came_is_written_down(make_suite: Make, tmp_path: Path) -> None:
    _, record = handle(job(make_suite(), tmp_path), LOAD, MEASURE)
    heard = record.iterations[-1]
    assert heard.chunks is not None
    assert [piece.audio_s for piece in heard.chunks] == pytest.approx([0.05, 0.05])
    assert [piece.arrived_s for piece in heard.chunks] == [heard.first_audio_s] * 2


def test_the_first_audio_is_the_first_that_can_be_played(
    make_suite: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make_suite().expand().cells[0]
    target = ScriptedTarget()
    target.load(cell, {})

    def late(_request: object, _watch: object) -> Iterator[np.ndarray]:
        for wait_s, frames in ((1.0, 0), (2.0, 1600), (0.5, 800)):
            target.clock.advance(wait_s)
            yield np.zeros(frames, np.float32)

    monkeypatch.setattr(target, "synthesize", late)
    timing = time_synthesis(target, cell.workload.requests[0], target.clock)
    assert timing.first_audio_s == 3.0
    assert timing.chunks == (
        AudioChunk(arrived_s=3.0, audio_s=0.1),
        AudioChunk(arrived_s=3.5, audio_s=0.05),
    )


def test_a_request_that_lacks_a_field_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text('{"cell": 7}', encoding="utf-8")
    with pytest.raises(HarnessError, match=r"request.json: "):
        read_job(path)


@pytest.mark.parametrize("request_id", ["r1", ""])
def test_a_bug_in_an_engine_s_own_file_names_its_request(tmp_path: Path, request_id: str) -> None:
    (tmp_path / "mytts.py").write_text("def speak():\n    raise RuntimeError('out of phonemes')\n")
    speak = runpy.run_path(str(tmp_path / "mytts.py"))["speak"]
    with pytest.raises(RuntimeError) as caught:
        speak()
    reason = classify(caught.value, request_id).reason
    assert reason.startswith("RuntimeError: out of phonemes (")
    assert reason.endswith("mytts.py:2) at request r1" if request_id else "mytts.py:2)")
    abroad = EngineAbroadError(Failure(kind=FailureKind.DIED, reason="it died"))
    assert classify(abroad, request_id).reason.startswith("it died")
    assert classify(abroad, request_id).reason.endswith("at request r1" if request_id else "died")


@pytest.mark.parametrize("shape", [(100, 2), (2, 100), (1, 100)])
def test_several_channels_are_refused_by_their_shape(shape: tuple[int, ...]) -> None:
    request = Request(id="r1", text="One.")
    with pytest.raises(
        ValueError, match=re.escape(f"request r1 gave audio of shape {shape}; give")
    ):
        timing_of(request, [np.zeros(shape)], [0.1], wall_s=0.1, stages_s={}, rate_hz=8000)


class TellingTarget(ForwardingTarget):
    """Tells of every synthesis."""

    kind = "cut"

    @property
    def notices(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [(self.kind, "x" * 600)] * 101


def test_what_an_engine_tells_is_recorded(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = ForwardingTarget(TellingTarget(ScriptedTarget()))
    monkeypatch.setattr(engine_side, "make_target", lambda name: target)
    _, record = handle(job(make_suite(), tmp_path), LOAD, FIRST, MEASURE)

    assert record.failure is None
    kept = SynthesisNotice(kind="cut", text="x" * 500)
    assert record.iterations[1].notices == (kept,) * 100


def test_what_is_no_kind_of_notice_is_refused(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TellingTarget, "kind", "Cut short!")
    monkeypatch.setattr(engine_side, "make_target", lambda name: TellingTarget(ScriptedTarget()))
    answers, _ = handle(job(make_suite(), tmp_path), LOAD, FIRST)

    assert "notice 'Cut short!' is no kind" in answers[-1]["failed"]["reason"]


class MarkingTarget(ForwardingTarget):
    """Delivers audio that is half as loud, and hands over the audio before that."""

    cut = 0

    @property
    def unmarked(self) -> np.ndarray | None:  # type: ignore[override]
        return self.kept[self.cut :]

    def synthesize(self, request: Request, watch: StageWatch) -> Iterator[np.ndarray]:
        chunks = list(super().synthesize(request, watch))
        self.kept = np.concatenate(chunks)
        yield from (chunk * np.float32(0.5) for chunk in chunks)


def test_audio_before_its_watermark_is_kept_beside_the_product(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_side, "make_target", lambda name: MarkingTarget(ScriptedTarget()))
    asked = job(make_suite(), tmp_path)
    _, record = handle(asked, LOAD, FIRST, MEASURE, MEASURE)

    first, again = record.iterations[1:]
    assert (first.audio_file, first.marked_file) == (
        "audio/steps-8/r1.wav",
        "audio/steps-8/marked/r1.wav",
    )
    assert (again.audio_file, again.marked_file) == (None, None)
    (clean, _), (marked, _) = (
        read_audio(tmp_path / str(file)) for file in (first.audio_file, first.marked_file)
    )
    np.testing.assert_array_equal(marked, clean * np.float32(0.5))
    assert first.audio_sha256 == hashlib.sha256(clean.tobytes()).hexdigest()
    assert first.marked_sha256 == hashlib.sha256(marked.tobytes()).hexdigest()


def test_audio_before_its_watermark_must_be_as_long(
    make_suite: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MarkingTarget, "cut", 5)
    monkeypatch.setattr(engine_side, "make_target", lambda name: MarkingTarget(ScriptedTarget()))
    answers, _ = handle(job(make_suite(), tmp_path), LOAD, FIRST)

    assert "give both of the same length" in answers[-1]["failed"]["reason"]
