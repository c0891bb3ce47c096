"""
What a reference recording costs, and whether the embedded voice follows it:
`python -m tests.studies.reference_evidence FOLDER`

Prints the figures of `docs/evidence/reference-voice.md` as Markdown. Runs the suite
`reference_voice` into FOLDER, then speaks with recordings by flite: its three voices that the
embedded one learned from, the same at other pitches, and strangers. Needs Debian's flite; takes
about eight minutes on two CPUs.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from tests.harness.make_voices import spoken
from voxgate.engine.alphabet import PHONES, SAMPLE_RATE_HZ, SPEAKERS
from voxgate.engine.audio.postprocess import active_rms
from voxgate.engine.duration.alignment import EDGE_SILENCE_FRAMES, predict_alignment
from voxgate.engine.duration.frames import FrameConditioning
from voxgate.engine.layers.mel import HOP
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.pipelines.voice_prompt import encode
from voxgate.engine.text.frontend import phonemise
from voxgate.harness.audio.files import read_audio, write_flac, write_wav
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.judging.judge_run import scored_run
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.prompt_leakage import prompt_leakage_s
from voxgate.harness.metrics.prosody import pitch_median
from voxgate.harness.metrics.speaker_similarity import embedding
from voxgate.harness.metrics.word_errors import ErrorCounts, word_errors
from voxgate.harness.models.whisper_weights import locate_weights
from voxgate.harness.records.measurement import Missing
from voxgate.harness.runner import run_folder
from voxgate.harness.scoring.transcription import transcribe_files, transcription_tasks
from voxgate.harness.suite.workload import load_workload

SAYS = "We hear them long before we see them, and the whole village goes outside to watch."
OTHER = "The library opens at nine, and the children are always the first to come in from the rain."
"""By which a speaker is known: in words that neither the recording nor the workload has."""
STRANGER = "kal16"
SHIFTS = (0.8, 0.9, 1.1, 1.2)
SENTENCES, REPEATS = 6, 3
"""Of the workload, for each row; CPU time is taken of all repeats but the first."""
VOICES = Path(__file__).parents[2] / "harness" / "workloads" / "voices"
NFE = 8
COLUMNS = {
    "latency_p50": ("p50, ms", 1e3, "{:.0f}"),
    "rtf": ("rtf", 1.0, "{:.3f}"),
    "wer": ("WER, %", 100.0, "{:.1f}"),
    "voice_similarity": ("similarity to slt", 1.0, "{:.3f}"),
    "reference_spill": ("spill, s", 1.0, "{:.3f}"),
    "clicks": ("clicks per s", 1.0, "{:.3f}"),
    "pitch_median": ("pitch, Hz", 1.0, "{:.0f}"),
}


def lengths(folder: Path) -> Iterator[str]:
    """Measure the suite; give its table."""
    run = folder / "run"
    if not (run / "complete").exists():
        subprocess.run(
            [sys.executable, "-m", "voxgate", "run", "reference_voice", "--out", str(run)],
            check=True,
            stdout=2,
        )
    scored_run(run, BASELINES)
    titles = (
        "reference",
        "its pitch, Hz",
        "frames in a pass",
        "CPU, ms",
        *(title for title, _, _ in COLUMNS.values()),
    )
    yield f"| {' | '.join(titles)} |"
    yield f"| --- |{' ---: |' * (len(COLUMNS) + 3)}"
    for slug, measured in run_folder.load_measurements(run).items():
        values = {each.metric: each for each in measured}
        cells = []
        for name, (_, factor, form) in COLUMNS.items():
            each = values[name]
            shown = "-" if isinstance(each.summary, Missing) else form.format(factor * each.summary)
            low, high = getattr(each, "low", None), getattr(each, "high", None)
            cells.append(
                shown
                if low is None
                else f"{shown} [{form.format(factor * low)} {form.format(factor * high)}]"
            )
        name = slug.removeprefix("reference-")
        yield f"| {name} | {own_pitch(name)} | {work(name)} | {' | '.join(cells)} |"


def own_pitch(name: str) -> str:
    """Return the median pitch of a shipped recording."""
    pitch = "" if name == "none" else pitch_median(MetricInput(audio=read_recording(VOICES / name)))
    return f"{pitch:.0f}" if isinstance(pitch, float) else "-"


def work(name: str) -> str:
    """
    Return two cells: the frames of a sentence with the recording's, and its CPU time (one thread).

    Medians and quartiles.
    """
    reference = "" if name == "none" else str(VOICES / name)
    pipeline = FlowPipeline.load({"nfe_steps": NFE, "threads": 1, "reference": reference})
    prompt = pipeline.prompts.get(reference, "", "slt")
    heard = 0 if prompt is None else len(prompt.mel)
    spent_ms, frames = [], []
    for _ in range(REPEATS):
        for request in load_workload("one-voice").requests[:SENTENCES]:
            began_s = time.process_time()
            frames.append(pipeline.synthesize(request.text).size // HOP + 1 + heard)
            spent_ms.append(1e3 * (time.process_time() - began_s))
    low, middle, high = np.percentile(spent_ms[SENTENCES:], (25, 50, 75))
    return f"{np.median(frames):.0f} | {middle:.0f} ({low:.0f}-{high:.0f})"


@dataclass(frozen=True, kw_only=True)
class Voice:
    """
    A recording that is given as the reference, its median pitch, and how its speaker sounds
    elsewhere.
    """

    name: str
    path: Path
    embedding: np.ndarray
    pitch_hz: float


def voice(folder: Path, speaker: str, *settings: str) -> Voice:
    """Make the recordings of one of flite's speakers."""
    name = "-".join((speaker, *settings)).replace("=", "")
    path = folder / f"{name}.flac"
    if not path.exists():
        for text, file in ((SAYS, path), (OTHER, folder / f"{name}-other.flac")):
            audio, rate_hz, _ = spoken(speaker, text, *settings)
            write_flac(file, audio, rate_hz)
        path.with_suffix(".txt").write_text(SAYS)
    known = embedding(read_recording(folder / f"{name}-other.flac"))
    pitch = pitch_median(MetricInput(audio=read_recording(path)))
    assert not isinstance(known, Missing) and not isinstance(pitch, Missing)
    return Voice(name=name, path=path, embedding=known, pitch_hz=pitch)


@contextmanager
def without_speaker(pipeline: FlowPipeline) -> Iterator[None]:
    """Leave the speaker embedding out of the DiT's input."""

    def leave_out(
        _module: object, inputs: tuple[FrameConditioning, ...]
    ) -> tuple[FrameConditioning, ...]:
        return (replace(inputs[0], speaker=torch.zeros_like(inputs[0].speaker)),)

    handle = pipeline.voice.dit.text_embed.register_forward_pre_hook(leave_out)
    try:
        yield
    finally:
        handle.remove()


def say(
    pipeline: FlowPipeline, folder: Path, reference: Voice | None, speaker: str
) -> list[tuple[str, Path]]:
    """Speak the workload into a folder; give texts and files. `speaker` "nobody" leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {"reference": "" if reference is None else str(reference.path)}
    said = []
    for request in load_workload("one-voice").requests[:SENTENCES]:
        if speaker == "nobody":
            with without_speaker(pipeline):
                audio = pipeline.synthesize(request.text, {**options, "speaker": "slt"})
        else:
            audio = pipeline.synthesize(request.text, {**options, "speaker": speaker})
        said.append((request.text, folder / f"{request.id}.wav"))
        write_wav(said[-1][1], audio, SAMPLE_RATE_HZ)
    return said


def word_error_rate(said: list[tuple[str, Path]]) -> float:
    """WER by the panel's recogniser."""
    weights = locate_weights(None, language="en")
    assert not isinstance(weights, Missing), weights
    heard = {
        file: each.text
        for task in transcription_tasks(
            [file for _, file in said], (weights.path, *weights.more), "en"
        )
        for file, each in zip(task.files, transcribe_files(task), strict=True)
    }
    counts = [word_errors(text, str(heard[file]), "en") for text, file in said]
    assert all(isinstance(each, ErrorCounts) for each in counts), counts
    return sum(each.errors for each in counts) / sum(each.reference_words for each in counts)


def judged(
    said: list[tuple[str, Path]], speakers: dict[str, Voice], reference: Voice | None
) -> list[str]:
    """Return the cells of a row: similarity to every speaker, pitch, WER, spill."""
    heard = [read_recording(file) for _, file in said]
    vectors = np.stack([embedding(each) for each in heard])
    alike = [float((vectors @ speaker.embedding).mean()) for speaker in speakers.values()]
    own = (
        []
        if reference is None or reference.name in speakers
        else [float((vectors @ reference.embedding).mean())]
    )
    pitch = float(np.median([pitch_median(MetricInput(audio=each)) for each in heard]))
    spill = "-"
    if reference is not None:
        recorded = read_recording(reference.path)
        inputs = (MetricInput(audio=audio, voice=recorded) for audio in heard)
        spill = f"{max(map(prompt_leakage_s, inputs)):.2f}"
    own_shown = f"{own[0]:.3f}" if own else "-"
    return [
        *(f"{each:.3f}" for each in alike),
        own_shown,
        f"{pitch:.0f}",
        f"{100 * word_error_rate(said):.1f}",
        spill,
    ]


def following(folder: Path) -> Iterator[str]:
    """Return the table of voice similarity, by recording and by conditioning speaker."""
    pipeline = FlowPipeline.load({"nfe_steps": NFE, "threads": 1})
    speakers = {name: voice(folder, name) for name in SPEAKERS}
    others = [voice(folder, "slt", f"f0_shift={shift}") for shift in SHIFTS] + [
        voice(folder, STRANGER)
    ]
    like = " | ".join(f"like {name}" for name in speakers)
    yield (
        f"| recording | its pitch, Hz | speaker id | {like} | like the recording's | pitch, Hz |"
        " WER, % | spill, s |"
    )
    yield f"| --- | ---: | --- |{' ---: |' * (len(speakers) + 4)}"
    rows: list[tuple[Voice | None, str]] = [(None, name) for name in SPEAKERS]
    rows += [(each, each.name) for each in speakers.values()] + [
        (speakers["slt"], "rms"),
        (speakers["rms"], "slt"),
    ]
    rows += [(each, "slt") for each in others] + [
        (each, "nobody") for each in (*speakers.values(), *others)
    ]
    for reference, speaker in rows:
        name, pitch = (
            ("none", "-") if reference is None else (reference.name, f"{reference.pitch_hz:.0f}")
        )
        said = say(pipeline, folder / "said" / f"{name}-{speaker}", reference, speaker)
        yield f"| {name} | {pitch} | {speaker} | {' | '.join(judged(said, speakers, reference))} |"


def alignment(folder: Path) -> Iterator[str]:
    """
    Return the error of the phones' ends against flite's, aligned and merely scaled to the length.
    """
    pipeline = FlowPipeline.load({"nfe_steps": NFE, "threads": 1})
    heard_ms: list[float] = []
    scaled_ms: list[float] = []
    used = 0
    requests = load_workload("one-voice").requests[:SENTENCES]
    for request, speaker in ((request, speaker) for request in requests for speaker in SPEAKERS):
        audio, rate_hz, phones = spoken(speaker, request.text)
        chunks = phonemise(request.text)
        ids = [phone for chunk in chunks for phone in chunk.phones]
        if [PHONES[phone] for phone in ids] != [name for name, _ in phones]:
            continue
        used += 1
        write_wav(folder / "one.wav", audio, rate_hz)
        prompt = encode(
            pipeline.voice,
            pipeline.device,
            (folder / "one.wav").read_bytes(),
            request.text,
            speaker,
        )
        true_s = np.array([end for _, end in phones])
        index = SPEAKERS.index(speaker)
        planned = np.concatenate(
            [
                predict_alignment(
                    pipeline.voice.durations,
                    c.phones,
                    speaker=index,
                    question=c.question,
                    speed=1.0,
                ).durations
                for c in chunks
            ]
        ).cumsum()
        frames = prompt.frames.phone[0].numpy(), prompt.frames.place[0].numpy()
        heard = np.flatnonzero((np.diff(frames[0]) != 0) | (np.diff(frames[1]) < 0)) + 1.0
        assert len(heard) == len(true_s) - 1, "a phone is lost"
        first_s = true_s[0]
        inner = slice(0, len(true_s) - 1)
        ours_s = (heard - EDGE_SILENCE_FRAMES) * HOP / SAMPLE_RATE_HZ + first_s
        spread = (planned[inner] - planned[0]) / (planned[-2] - planned[0])
        even_s = first_s + spread * (true_s[-2] - first_s)
        heard_ms += list(1e3 * np.abs(ours_s - true_s[inner])[1:-1])
        scaled_ms += list(1e3 * np.abs(even_s - true_s[inner])[1:-1])
    yield (
        f"{used} recordings whose phones the front-end and flite agree on, {len(heard_ms)} ends of "
        "phones inside them."
    )
    for name, errors in (("heard", heard_ms), ("scaled to the length", scaled_ms)):
        yield (
            f"- {name}: median {np.median(errors):.0f} ms, 90 % within "
            f"{np.percentile(errors, 90):.0f} ms"
        )


def level() -> str:
    """Return the level of flite's speech, on which the DiT was trained."""
    found = [
        f"{name} {active_rms(read_audio(VOICES / f'{name}.flac')[0]):.3f}" for name in SPEAKERS
    ]
    return f"Level of flite's speech (rms of the frames that sound): {', '.join(found)}."


def main(folder: Path) -> None:
    """Print all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for title, lines in (
        ("Cost and likeness by length", lengths(folder)),
        ("Whom it sounds like", following(folder)),
        ("Where the phones are", alignment(folder)),
    ):
        print(f"## {title}\n")
        for line in lines:
            print(line, flush=True)
        print()
    print(level())


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
