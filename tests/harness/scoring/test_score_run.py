"""Which audio is held against which."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.harness.fake_runs import REQUESTS, good_run, with_audio
from voxgate.harness.audio.files import write_wav
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.measurement import NO_GOLDEN, Missing
from voxgate.harness.records.run import (
    HeardText,
    Iteration,
    Phase,
    ProcessRecord,
    Run,
    SynthesisNotice,
)
from voxgate.harness.scoring import score_run as scoring
from voxgate.harness.scoring.score_run import (
    MOST_WORKERS,
    TAKES_DIFFER,
    audio_jobs,
    default_cache_dir,
    further_takes,
    score_run,
)
from voxgate.harness.scoring.scorer import UNHEARD, UtteranceScores
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.scoring.transcription import RecognizerOptions


def run_with_audio(tmp_path: Path):
    run = with_audio(good_run(tmp_path))
    folder = tmp_path / "audio/nfe-8"
    folder.mkdir()
    for request in REQUESTS:
        write_wav(folder / f"{request}.wav", np.full(800, 0.5, dtype=np.float32), 16_000)
    return run


def test_every_cell_is_held_against_the_reference_cell_and_the_golden_audio(tmp_path: Path) -> None:
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / "u01.flac").write_bytes(b"x")
    jobs = audio_jobs(run_with_audio(tmp_path), golden)
    assert len(jobs) == 2 * len(REQUESTS)
    job = jobs["nfe-8", "u01"]
    assert (job.path, job.reference) == (
        tmp_path / "audio/nfe-8/u01.wav",
        tmp_path / "audio/nfe-32/u01.wav",
    )
    assert (job.golden, job.text) == (golden / "u01.flac", "text u01")
    assert jobs["nfe-8", "u02"].golden is None
    assert jobs["nfe-32", "u02"].reference == jobs["nfe-32", "u02"].path


def test_scores_become_values_with_words_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(jobs, **_):
        def score(job):
            heard = job.utterance == "u02"
            words = ErrorCounts(errors=1, reference_words=4) if heard else Missing("unreadable")
            return UtteranceScores(
                key=job.key,
                utterance=job.utterance,
                values={
                    "wer": 0.25 if heard else Missing("unreadable"),
                    "golden_snr": Missing("none"),
                },
                versions={"wer": "1; tiny.en" if heard else "1", "golden_snr": "1"},
                words=words,
                chars=words,
                transcript="text two" if heard else Missing("unreadable"),
                recogniser="tiny.en" if heard else "",
            )

        return {job.key: score(job) for job in jobs}

    monkeypatch.setattr(scoring, "score_quality", fake)
    found = score_run(run_with_audio(tmp_path), tmp_path / "golden", cache_dir=tmp_path)
    assert found.values["nfe-8", "u02"] == {
        "wer": 0.25,
        "wer_words": 4.0,
        "cer_chars": 4.0,
        "verbatim_words": UNHEARD,
        "golden_snr": NO_GOLDEN,
    }
    assert found.values["nfe-8", "u01"]["wer_words"] == Missing("unreadable")
    assert found.versions == {"wer": "1; tiny.en", "golden_snr": "1"}
    assert found.heard == {
        slug: {"u02": HeardText(text="text two", recogniser="tiny.en")}
        for slug in ("nfe-32", "nfe-8")
    }


def test_the_cache_stands_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "voxgate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path.home() / ".cache/voxgate"


def test_a_job_holds_all_that_the_run_offers(tmp_path: Path) -> None:
    run = run_with_audio(tmp_path)
    asked = replace(
        run.cells[0].workload.requests[0],
        statement="u02",
        emphasis="text",
        language="es",
        options={"speaker": "slt"},
    )
    lost = replace(run.cells[0].workload.requests[2], statement="u99")
    requests = (asked, run.cells[0].workload.requests[1], lost)
    workload = replace(run.cells[0].workload, requests=requests, voices={"slt": "voices/slt.flac"})
    cells = tuple(replace(cell, workload=workload) for cell in run.cells)
    processes = tuple(
        replace(p, iterations=tuple(replace(s, joins_s=(0.5,)) for s in p.iterations))
        for p in run.processes
    )
    jobs = audio_jobs(replace(run, cells=cells, processes=processes), tmp_path / "golden")
    job, plain, gap = (jobs["nfe-8", name] for name in ("u01", "u02", "u03"))
    assert (job.voice, job.statement) == (
        tmp_path / "voices/slt.flac",
        tmp_path / "audio/nfe-8/u02.wav",
    )
    assert (job.emphasis, job.language, job.joins_s) == ("text", "es", (0.5,))
    assert (plain.voice, plain.statement, plain.emphasis, plain.language) == (
        None,
        None,
        None,
        "en",
    )
    assert gap.statement == Missing("there is no audio of the statement that it is held against")


def test_the_suite_says_what_is_scored_and_by_whom_and_the_machine_by_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def note(jobs: list[AudioJob], **options: object) -> dict[str, UtteranceScores]:
        asked.update(options)
        return {job.key: nothing(job) for job in jobs}

    monkeypatch.setattr(scoring, "score_quality", note)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    wanted = replace(
        run_with_audio(tmp_path),
        metrics=("clicks",),
        conditions=("telephone",),
        judge="faster-whisper",
    )
    score_run(wanted, tmp_path, cache_dir=tmp_path)
    assert {"clicks", "phone_clicks", "duration"} <= set(asked["metrics"])
    assert not {"snr", "wer", "phone_duration"} & set(asked["metrics"])
    assert asked["workers"] == MOST_WORKERS
    assert asked["judge"] == RecognizerOptions(engine="faster-whisper")


@pytest.mark.parametrize(
    ("notices", "asked", "spoken"),
    [
        ((), "", ""),
        ((("spoken", "call one"), ("cut", "x"), ("spoken", "four.")), "", "call one four."),
        ((("spoken", "call one"),), "call two", "call two"),
        ((("spoken", "x" * 500),), "", ""),
        ((("spoken", "x"),) * 100, "", ""),
    ],
)
def test_words_are_those_of_the_request_or_as_the_engine_read_them(
    tmp_path: Path, notices: tuple[tuple[str, str], ...], asked: str, spoken: str
) -> None:
    run = run_with_audio(tmp_path)
    told = tuple(SynthesisNotice(kind=kind, text=text) for kind, text in notices)
    processes = tuple(
        replace(p, iterations=tuple(replace(s, notices=told) for s in p.iterations))
        for p in run.processes
    )
    workload = run.cells[0].workload
    requests = tuple(replace(each, spoken=asked) for each in workload.requests)
    cells = tuple(replace(c, workload=replace(workload, requests=requests)) for c in run.cells)
    jobs = audio_jobs(replace(run, cells=cells, processes=processes), tmp_path / "golden")
    assert {job.spoken for job in jobs.values()} == {spoken}
    assert {job.words for job in jobs.values()} == {spoken or job.text for job in jobs.values()}


def test_the_recordings_of_voices_belong_to_the_version_of_what_is_held_against_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_with_audio(tmp_path)
    requests = tuple(replace(r, options={"speaker": "slt"}) for r in run.cells[0].workload.requests)
    workload = replace(run.cells[0].workload, requests=requests, voices={"slt": "slt.wav"})
    voiced = replace(run, cells=tuple(replace(cell, workload=workload) for cell in run.cells))
    monkeypatch.setattr(
        scoring, "score_quality", lambda jobs, **_: {job.key: nothing(job) for job in jobs}
    )
    versions = []
    for level in (0.1, 0.2):
        write_wav(tmp_path / "slt.wav", np.full(800, level, dtype=np.float32), 16_000)
        versions.append(score_run(voiced, tmp_path / "golden", cache_dir=tmp_path).versions)
    assert versions[0]["snr"] == versions[1]["snr"] == "1"
    assert versions[0]["voice_similarity"].startswith("1; voices ")
    assert versions[0]["voice_similarity"] != versions[1]["voice_similarity"]


def seedless(run: Run, slug: str) -> Run:
    """Let a cell's second process have said u01 otherwise."""
    path = f"audio/{slug}/takes/1/u01.wav"
    write_wav_of(Path(run.folder) / path)

    def told(sample: Iteration) -> Iteration:
        other = (sample.cell, sample.repeat, sample.request) == (slug, 1, "u01")
        return replace(sample, audio_file=path, audio_sha256="1") if other else sample

    return replace(
        run,
        processes=tuple(
            replace(p, iterations=tuple(map(told, p.iterations))) for p in run.processes
        ),
    )


def write_wav_of(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, np.full(900, 0.25, dtype=np.float32), 16_000)


def test_takes_that_differ_are_all_scored_and_none_is_held_against_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = seedless(run_with_audio(tmp_path), "nfe-8")
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden/u01.flac").write_bytes(b"x")
    jobs = audio_jobs(run, tmp_path / "golden")
    for job in (jobs["nfe-8", "u01"], jobs["nfe-8", "u02"]):
        assert job.reference == job.golden == TAKES_DIFFER
    assert jobs["nfe-32", "u01"].reference == tmp_path / "audio/nfe-32/u01.wav", (
        "the reference itself is steady"
    )
    (take,) = further_takes(run, tmp_path / "golden")["nfe-8", "u01"]
    assert (take.path, take.reference) == (tmp_path / "audio/nfe-8/takes/1/u01.wav", TAKES_DIFFER)
    clicks = {"nfe-8/u01": 0.0, take.key: 1.0}

    def fake(jobs: list[AudioJob], **_: object) -> dict[str, UtteranceScores]:
        def score(job: AudioJob) -> UtteranceScores:
            values = {"clicks": clicks.get(job.key, 0.5), "snr": TAKES_DIFFER}
            return replace(nothing(job), values=values, versions=dict.fromkeys(values, "1"))

        return {job.key: score(job) for job in jobs}

    monkeypatch.setattr(scoring, "score_quality", fake)
    found = score_run(run, tmp_path / "golden", cache_dir=tmp_path).values
    assert (found["nfe-8", "u01"]["clicks"], found["nfe-8", "u02"]["clicks"]) == (0.5, 0.5), (
        "the mean over the takes"
    )
    clicks[take.key] = 0.5
    assert (
        score_run(run, tmp_path / "golden", cache_dir=tmp_path).values["nfe-8", "u01"]["clicks"]
        == 0.25
    )
    assert found["nfe-8", "u01"]["snr"] == TAKES_DIFFER


def test_where_the_reference_differs_each_time_nothing_is_held_against_it(tmp_path: Path) -> None:
    jobs = audio_jobs(seedless(run_with_audio(tmp_path), "nfe-32"), tmp_path / "golden")
    assert {job.reference for job in jobs.values()} == {TAKES_DIFFER}


def nothing(job: AudioJob) -> UtteranceScores:
    names = ("snr", "voice_similarity")
    silence = Missing("unheard")
    return UtteranceScores(
        key=job.key,
        utterance=job.utterance,
        values=dict.fromkeys(names, 1.0),
        versions=dict.fromkeys(names, "1"),
        words=silence,
        chars=silence,
        transcript=silence,
    )


def test_a_take_is_heard_beside_another_take_and_never_beside_itself(tmp_path: Path) -> None:
    run = run_with_audio(tmp_path)

    def taken(process: ProcessRecord) -> ProcessRecord:
        more = []
        for number in (1, 2):
            path = f"audio/{process.cell}/takes/{number}/u01.wav"
            write_wav_of(tmp_path / path)
            first = process.iterations[0]
            more.append(
                replace(
                    first, phase=Phase.TAKE, take=number, audio_file=path, iteration=90 + number
                )
            )
        mine = (*process.iterations, *more) if process.repeat == 0 else process.iterations
        return replace(process, iterations=mine)

    sampled = replace(
        run,
        processes=tuple(map(taken, run.processes)),
        takes={cell.slug: 3 for cell in run.cells},
    )
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden/u01.flac").write_bytes(b"x")
    jobs, further = (make(sampled, tmp_path / "golden") for make in (audio_jobs, further_takes))
    for slug in ("nfe-32", "nfe-8"):
        takes = [jobs[slug, "u01"], *further[slug, "u01"]]
        assert [job.take for job in takes] == [
            tmp_path / f"audio/nfe-32/{place}u01.wav" for place in ("takes/1/", "takes/2/", "")
        ]
        assert {job.golden_take for job in takes} == {tmp_path / "golden/u01.flac"}
        assert {job.reference for job in takes} == {TAKES_DIFFER}
