import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from voxgate import Suite
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.codec import to_json
from voxgate.harness.records.environment import environment_from_json, facts_of
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue
from voxgate.harness.records.run import (
    AudioChunk,
    ColdStart,
    Energy,
    Failure,
    FailureKind,
    HeardText,
    Iteration,
    Phase,
    StageProfile,
    StageWork,
)
from voxgate.harness.runner import process_files, run_folder
from voxgate.harness.runner.process_files import WorkerLog
from voxgate.harness.runner.run_header import RunHeader

SAMPLE = Iteration(
    cell="steps-8",
    repeat=0,
    iteration=0,
    phase=Phase.FIRST,
    request="r1",
    wall_s=0.25,
    audio_s=1.0,
    first_audio_s=0.1,
    stages_s={"vocoder": 0.2},
    audio_sha256="ab",
    audio_file=None,
)
LOADED = {
    "kind": "loaded",
    "import_s": 1.0,
    "load_s": 2.0,
    "alone": True,
    "effective": {"steps": 8, "seed": 0},
}
OBSERVED = {"kind": "effects", "effects": []}
FINISHED = {"kind": "finished", "peak_rss_bytes": 123, "peak_cuda_bytes": None}


@pytest.fixture
def header(make_suite: Callable[..., Suite]) -> RunHeader:
    expansion = make_suite(without={"steps": 4}, because="never").expand()
    return RunHeader(
        suite="test",
        question="Why?",
        reference="steps-8",
        cells=expansion.cells,
        excluded=expansion.excluded,
        profile="cpu-gate",
        environment=environment_from_json({"machine": {"id": "m"}}),
        created="2026-11-21T00:00:00+00:00",
        repeats=2,
        iterations=1,
        command="voxgate run test",
    )


@pytest.fixture
def folder(tmp_path: Path, header: RunHeader) -> Path:
    folder = tmp_path / "runs" / "0001"
    run_folder.create_run(folder, header)
    return folder


def write(folder: Path, *records: dict[str, object], repeat: int = 0) -> Path:
    path = process_files.log_path(folder, "steps-8", repeat)
    log = WorkerLog(path)
    for record in records:
        log.append(record)
    log.close()
    return path


def sample(**changes: object) -> dict[str, object]:
    return {"kind": "sample", "sample": to_json(replace(SAMPLE, **changes))}  # type: ignore[arg-type]


def test_a_header_is_read_as_it_was_written(folder: Path, header: RunHeader) -> None:
    assert run_folder.load_header(folder) == header


def test_a_process_is_read_as_it_was_written(folder: Path) -> None:
    write(folder, LOADED, sample(), FINISHED)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None
    assert record.iterations == (SAMPLE,)
    assert record.cold == ColdStart(import_s=1.0, load_s=2.0, first_synthesis_s=0.25)
    assert record.effective == {"steps": 8, "seed": 0}
    assert (record.finished, record.failure, record.peak_rss_bytes, record.peak_cuda_bytes) == (
        True,
        None,
        123,
        None,
    )


def test_a_process_that_started_beside_others_has_no_cold_start(folder: Path) -> None:
    write(folder, {**LOADED, "alone": False}, sample(), FINISHED)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None and record.cold is None


def test_a_torn_last_line_is_ignored_and_cut_off_before_the_file_is_continued(folder: Path) -> None:
    path = write(folder, LOADED, sample())
    with path.open("ab") as file:
        file.write(b'{"kind": "sample", "sam')
    before = process_files.load_process(folder, "steps-8", 0)
    assert before is not None and len(before.iterations) == 1
    process_files.append_failure(
        folder, "steps-8", 0, Failure(kind=FailureKind.KILLED, reason="SIGKILL")
    )
    after = process_files.load_process(folder, "steps-8", 0)
    assert after is not None and after.failure == Failure(kind=FailureKind.KILLED, reason="SIGKILL")
    assert len(path.read_bytes().splitlines()) == 3


def test_a_damaged_line_within_a_file_is_an_error_that_names_it(folder: Path) -> None:
    path = write(folder, LOADED, sample())
    path.write_bytes(path.read_bytes().replace(b'"import_s"', b"import_s", 1))
    with pytest.raises(HarnessError, match=r"steps-8\.0\.jsonl:1 is not valid JSON"):
        run_folder.load_run(folder)


def test_a_record_of_another_shape_is_an_error(folder: Path) -> None:
    write(folder, {"kind": "sample", "sample": {"wall_s": 1}})
    with pytest.raises(HarnessError, match="records of steps-8, repeat 0, are damaged"):
        run_folder.load_run(folder)


def test_a_failure_of_a_kind_from_another_version_is_read_as_other_and_tried_again(
    folder: Path,
) -> None:
    log = process_files.WorkerLog(process_files.log_path(folder, "steps-8", 0))
    log.append({"kind": "failure", "failure": {"kind": "on strike", "reason": "since noon"}})
    log.close()
    process = process_files.load_process(folder, "steps-8", 0)
    assert process is not None
    assert process.failure == Failure(kind=FailureKind.OTHER, reason="since noon")
    assert not process.failure.kind.final


def test_an_interrupted_process_and_its_continuation_are_read_as_one(folder: Path) -> None:
    write(folder, LOADED, sample(), sample(phase=Phase.MEASURED, iteration=1))
    process_files.append_failure(
        folder, "steps-8", 0, Failure(kind=FailureKind.KILLED, reason="SIGKILL")
    )
    process_files.keep_interrupted(folder, "steps-8", 0)
    write(folder, {**LOADED, "alone": False}, OBSERVED, sample(iteration=2), FINISHED)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None
    assert [each.iteration for each in record.iterations] == [0, 1, 2]
    assert record.finished
    assert record.failure is None, "the continuation did not fail"
    assert record.cold is not None


def test_parts_are_kept_in_the_order_of_their_making(folder: Path) -> None:
    for number in range(11):
        write(folder, sample(iteration=number))
        process_files.keep_interrupted(folder, "steps-8", 0)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None and [each.iteration for each in record.iterations] == list(range(11))


def test_a_run_lists_its_processes_and_is_complete_when_it_says_so(folder: Path) -> None:
    write(folder, LOADED, sample(), FINISHED)
    write(folder, LOADED, repeat=1)
    run = run_folder.load_run(folder)
    assert [(process.cell, process.repeat, process.finished) for process in run.processes] == [
        ("steps-8", 0, True),
        ("steps-8", 1, False),
    ]
    assert not run.complete
    assert run.excluded == {"steps=4": "never"}
    run_folder.mark_complete(folder, {"after": {"load_1min": 0.1}})
    run = run_folder.load_run(folder)
    assert run.complete
    assert facts_of(run.environment) == {"machine": {"id": "m"}, "after": {"load_1min": 0.1}}


def test_a_newer_run_folder_is_refused(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(
        HarnessError, match="has schema 99, this voxgate reads up to 10; upgrade voxgate"
    ):
        run_folder.load_run(folder)


def test_what_disturbed_a_sample_is_kept(folder: Path) -> None:
    disturbed = replace(SAMPLE, disturbance={"waited_s": 0.01, "major_faults": 2})
    write(folder, LOADED, {"kind": "sample", "sample": to_json(disturbed)})
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None
    assert record.iterations == (disturbed,)


@pytest.mark.parametrize(
    "drawn",
    [
        Energy(meter="rail VDD_IN", idle_w=9.5, busy_s=3.1, energy_j=44.0, audio_s=12.0),
        Missing("could not be read any more"),
    ],
)
def test_what_a_process_drew_is_read_as_it_was_written(
    folder: Path, drawn: Energy | Missing
) -> None:
    write(folder, LOADED, sample(), {"kind": "energy", **to_json(drawn)}, FINISHED)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None and record.energy == drawn


def test_a_folder_of_the_second_schema_is_read_as_one_where_nobody_looked_at_the_power(
    folder: Path,
) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 2}))
    write(folder, LOADED, sample(), FINISHED)
    assert run_folder.load_run(folder).processes[0].energy is None


def test_a_folder_of_the_first_schema_is_read_as_one_that_does_not_tell(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 1}))
    old = {name: value for name, value in to_json(SAMPLE).items() if name != "disturbance"}
    write(folder, LOADED, {"kind": "sample", "sample": old}, FINISHED)
    assert run_folder.load_run(folder).processes[0].iterations == (SAMPLE,)
    (folder / "measurements.json").write_text('{"schema_version": 1, "cells": {}}')
    assert run_folder.load_measurements(folder) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"run\.json is not valid JSON"),
        ("[]", r"run\.json must hold a JSON object, not list"),
        ("{}", "has schema None, which no voxgate wrote"),
        (
            '{"schema_version": 1, "suite": "x"}',
            r"run\.json is damaged \(lacks question\); measure again",
        ),
    ],
)
def test_a_broken_header_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "run.json").write_text(text)
    with pytest.raises(HarnessError, match=message):
        run_folder.load_run(folder)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"is no run folder: it has no run\.json"):
        run_folder.load_run(tmp_path)
    with pytest.raises(HarnessError, match="no run below"):
        run_folder.latest_run_folder(tmp_path)


def test_a_run_folder_is_never_used_twice(folder: Path, header: RunHeader) -> None:
    with pytest.raises(
        HarnessError, match="is in use; choose another --out, or continue it with --resume"
    ):
        run_folder.create_run(folder, header)


def test_a_run_folder_that_cannot_be_made_is_an_error(tmp_path: Path, header: RunHeader) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot make run folder"):
        run_folder.create_run(tmp_path / "file" / "0001", header)


def test_run_folders_are_numbered(tmp_path: Path, folder: Path) -> None:
    root = folder.parent
    assert run_folder.next_run_folder(tmp_path / "none").name == "0001"
    assert run_folder.next_run_folder(root).name == "0002"
    (root / "0041").mkdir()
    (root / "notes").mkdir()
    assert run_folder.next_run_folder(root).name == "0042"
    assert run_folder.latest_run_folder(root) == folder


def test_a_full_disk_is_an_error_with_its_number(tmp_path: Path) -> None:
    link = tmp_path / "log.jsonl"
    link.symlink_to("/dev/full")
    log = WorkerLog(link)
    with pytest.raises(OSError) as caught:
        log.append({"kind": "loaded"})
    assert caught.value.errno == errno.ENOSPC
    log.close()


def test_not_a_number_is_never_written(folder: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(folder, {"kind": "loaded", "import_s": float("nan")})


def test_measurements_are_read_as_they_were_written(folder: Path) -> None:
    measurement = Measurement(
        metric="latency_p50",
        unit="s",
        better="lower",
        version="1",
        values=(
            UtteranceValue(id="r1", value=0.5),
            UtteranceValue(id="r2", value=Missing("no audio"), repeat=1),
        ),
        summary=0.5,
        low=0.4,
        high=0.6,
    )
    with pytest.raises(HarnessError, match="has no measurements yet"):
        run_folder.load_measurements(folder)
    run_folder.save_measurements(folder, {"steps-8": [measurement]})
    assert run_folder.load_measurements(folder) == {"steps-8": (measurement,)}


def test_where_chunks_were_joined_is_kept(folder: Path) -> None:
    write(folder, LOADED, sample(joins_s=(0.5, 1.25)), sample(iteration=1), FINISHED)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None
    assert [each.joins_s for each in record.iterations] == [(0.5, 1.25), None]


def test_when_the_pieces_of_audio_came_is_kept(folder: Path) -> None:
    pieces = (AudioChunk(arrived_s=0.125, audio_s=1.5), AudioChunk(arrived_s=0.75, audio_s=0.05))
    write(folder, LOADED, sample(chunks=pieces), sample(iteration=1), FINISHED)
    record = process_files.load_process(folder, "steps-8", 0)
    assert record is not None
    assert [each.chunks for each in record.iterations] == [pieces, None]


def test_a_folder_of_before_pieces_were_noted_is_read(folder: Path) -> None:
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**about, "schema_version": 4}))
    written = write(folder, LOADED, sample(), FINISHED)
    assert "chunks" not in written.read_text()
    assert run_folder.load_run(folder).processes[0].iterations[0].chunks is None


def test_a_run_folder_keeps_the_voices_that_it_should_sound_like(
    tmp_path: Path, header: RunHeader
) -> None:
    """So that it can be scored where the workload's recordings are not."""
    (tmp_path / "anna.flac").write_bytes(b"a voice")
    cells = tuple(
        replace(cell, workload=replace(cell.workload, voices={"slt": str(tmp_path / "anna.flac")}))
        for cell in header.cells
    )
    run_folder.create_run(tmp_path / "run", replace(header, cells=cells))
    voices = run_folder.load_run(tmp_path / "run").cells[0].workload.voices
    assert voices == {"slt": "voices/slt.flac"}
    assert (tmp_path / "run" / "voices" / "slt.flac").read_bytes() == b"a voice"


def test_what_a_suite_wants_scored_is_kept(tmp_path: Path, header: RunHeader) -> None:
    wanted = replace(
        header, metrics=("snr", "wer"), conditions=("telephone",), judge="faster-whisper"
    )
    run_folder.create_run(tmp_path / "run", wanted)
    run = run_folder.load_run(tmp_path / "run")
    assert run_folder.load_header(tmp_path / "run") == wanted
    assert (run.metrics, run.conditions, run.judge) == (
        ("snr", "wer"),
        ("telephone",),
        "faster-whisper",
    )


def test_a_folder_of_the_fourth_schema_was_heard_by_the_only_judge_there_was(folder: Path) -> None:
    path = folder / "run.json"
    older = {name: value for name, value in json.loads(path.read_text()).items() if name != "judge"}
    path.write_text(json.dumps({**older, "schema_version": 4}))
    assert run_folder.load_run(folder).judge == "openai-whisper"


def test_how_much_work_a_stage_was_is_kept(folder: Path) -> None:
    staged = StageProfile(
        request="r1",
        wall_s=0.25,
        stages_s={"vocoder": 0.2},
        unaccounted_s=0.05,
        alone_s={"vocoder": (0.1, 0.11)},
        work={"vocoder": StageWork(calls=3, rows=2, frames=212)},
    )
    write(folder, LOADED, sample(), {"kind": "stages", **to_json(staged)}, FINISHED)
    assert run_folder.load_run(folder).processes[0].stages == staged


def test_a_folder_of_the_fifth_schema_does_not_tell_how_much_work_a_stage_was(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 5}))
    staged = StageProfile(
        request="r1", wall_s=0.25, stages_s={}, unaccounted_s=0.25, alone_s={"vocoder": (0.1,)}
    )
    older = {name: value for name, value in to_json(staged).items() if name != "work"}
    write(folder, LOADED, sample(), {"kind": "stages", **older}, FINISHED)
    assert run_folder.load_run(folder).processes[0].stages == staged


NO_TRANSCRIPTS = (
    '{"schema_version": 1}',
    '{"schema_version": 1, "cells": {"a": {"r1": "One."}}}',
    '{"schema_version": 99, "cells": {}}',
)


def test_what_was_heard_survives_the_run_folder(tmp_path: Path) -> None:
    heard = {"steps-8": {"r1": HeardText(text='"One"', recogniser="openai-whisper tiny.en")}}
    assert run_folder.load_transcripts(tmp_path) == {}
    run_folder.save_transcripts(tmp_path, heard)
    assert run_folder.load_transcripts(tmp_path) == heard
    for wrong in NO_TRANSCRIPTS:
        (tmp_path / "transcripts.json").write_text(wrong)
        with pytest.raises(HarnessError, match=r"transcripts\.json"):
            run_folder.load_transcripts(tmp_path)
