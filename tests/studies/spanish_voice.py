"""
How good is the Spanish voice, against its teacher and against its own solver?
`python -m tests.studies.spanish_voice FOLDER [--sentences 200] [--steps 32,16,8,4,2]`

Prints the tables of `docs/evidence/spanish-voice.md` as Markdown: word errors by Whisper base on
the held-out sentences for the teacher and for the voice at several step counts, parity with the
most steps, the rise of yes/no questions on the same words, and the sound of the regions. Needs
`py-nanotts`. What is spoken and recognised is kept in FOLDER, so the command can be given again.
"""

import json
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import soundfile
from pesq import pesq
from pystoi import stoi
from scipy.stats import bootstrap

from voxgate.engine.alphabet import SAMPLE_RATE_HZ, SPANISH_SPEAKERS
from voxgate.engine.duration.alignment import DURATION_SCALE
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.training.spanish_corpus import voice
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.prosody import end_level, pitch_median, pitch_range, speech_rate
from voxgate.harness.metrics.word_errors import word_errors
from voxgate.harness.models.whisper import WhisperRecognizer, load_recognizer
from voxgate.harness.models.whisper_weights import locate_weights
from voxgate.harness.records.measurement import Missing

HELDOUT = Path(__file__).parents[2] / "engine" / "training" / "heldout_es.txt"
REGIONS = ("es", "rioplatense", "mexico", "colombia")
SAME_WORDS = (
    "Vienes conmigo al mercado", "La puerta está cerrada", "Tienes hambre", "Quieres más café",
    "Ha llegado tu hermano", "Hay leche en la nevera", "Te gusta la música", "Vas a la fiesta",
    "Mañana trabajan los niños", "El coche es de tu padre", "La tienda está lejos",
    "El tren sale a las diez",
)  # fmt: skip
REGION_TEXT = (
    "Yo me llamo Guillermo y vivo en la calle mayor.", "Ella llegó ayer con las llaves y la silla.",
    "Llueve en la playa y hace cinco grados.", "Los zapatos están en la caja de la cocina.",
)  # fmt: skip
Speak = Callable[[str], np.ndarray]


def engine_voice(**options: object) -> Speak:
    """Return a function from a text to the engine's audio under `options`."""
    pipeline = FlowPipeline.load({"language": "es", "threads": 1, **options})

    def speak(text: str) -> np.ndarray:
        return pipeline.synthesize(text)

    return speak


def teacher_voice(speaker: str) -> Speak:
    """Return a function from a text to Pico's audio, at the voice's own pace."""

    def speak(text: str) -> np.ndarray:
        spoken = voice(text, hugo=speaker == "hugo", wide=False, stretch=DURATION_SCALE, pitch=1.0)
        return spoken / 32768.0

    return speak


def kept(folder: Path, name: str, texts: tuple[str, ...], speak: Callable[[], Speak]) -> list[Path]:
    """Speak texts into FOLDER/NAME and return the files; those that exist are kept."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    files = [place / f"{number:03d}.wav" for number in range(len(texts))]
    missing = [pair for pair in zip(files, texts, strict=True) if not pair[0].exists()]
    if missing:
        say = speak()
        for path, text in missing:
            soundfile.write(path, say(text), SAMPLE_RATE_HZ, "FLOAT")
    return files


def error_rate(
    files: list[Path], texts: tuple[str, ...], recognizer: Callable[[], WhisperRecognizer]
) -> str:
    """Return the word error rate in percent with its 95 % interval over sentences."""
    store = files[0].parent / "texts.json"
    heard = json.loads(store.read_text()) if store.exists() else []
    if len(heard) < len(files):
        audios = [soundfile.read(path, dtype="float32")[0] for path in files[len(heard) :]]
        heard += recognizer().transcribe(audios, "es", digits=False)
        store.write_text(json.dumps(heard, ensure_ascii=False, indent=0))
    found = [word_errors(text, said, "es") for text, said in zip(texts, heard, strict=False)]
    counts = [each for each in found if not isinstance(each, Missing)]
    errors = np.array([each.errors for each in counts])
    words = np.array([each.reference_words for each in counts])
    spread = bootstrap(
        (errors, words), lambda e, w, axis: e.sum(axis) / w.sum(axis), paired=True,
        vectorized=True, rng=np.random.default_rng(0), n_resamples=2000,
    ).confidence_interval  # fmt: skip
    rate = errors.sum() / words.sum()
    return f"{100 * rate:.1f} [{100 * spread.low:.1f} {100 * spread.high:.1f}]"


def parity(files: list[Path], reference: list[Path]) -> str:
    """Return SNR, PESQ and STOI against the same noise with the most steps, medians."""
    rows = []
    for ours, best in zip(files, reference, strict=True):
        x, y = (soundfile.read(path)[0] for path in (ours, best))
        snr = 10 * np.log10(np.sum(y**2) / np.sum((x - y) ** 2))
        rows.append((snr, pesq(SAMPLE_RATE_HZ, y, x, "wb"), stoi(y, x, SAMPLE_RATE_HZ)))
    snr, quality, intelligibility = np.median(rows, axis=0)
    return f"{snr:.1f} | {quality:.2f} | {intelligibility:.3f}"


def measured(metric: Callable[[MetricInput], float | Missing], path: Path, text: str = "") -> float:
    """Return a metric of one file; NaN where it has none."""
    value = metric(MetricInput(audio=read_recording(path), text=text))
    return float("nan") if isinstance(value, Missing) else value


def rises(folder: Path, name: str, speak: Callable[[], Speak]) -> str:
    """Return the mean rise of a question over the same words as a statement, and how many rise."""
    asked = kept(folder, f"{name}-asked", tuple(f"¿{t}?" for t in SAME_WORDS), speak)
    stated = kept(folder, f"{name}-stated", tuple(f"{t}." for t in SAME_WORDS), speak)
    gaps = np.array(
        [
            measured(end_level, a) - measured(end_level, b)
            for a, b in zip(asked, stated, strict=True)
        ]
    )
    gaps = gaps[np.isfinite(gaps)]
    spread = f"{gaps.mean():.1f} ({gaps.min():.1f} to {gaps.max():.1f})"
    return f"{spread} | {(gaps > 3).sum()} of {gaps.size}"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sentences", default=200)
@click.option("--steps", default="32,16,8,4,2")
def main(folder: Path, sentences: int, steps: str) -> None:
    """Print the tables."""
    texts = tuple(HELDOUT.read_text().splitlines()[:: max(1, 200 // sentences)])
    weights = locate_weights(None, language="es")
    loaded: list[WhisperRecognizer] = []

    def recognizer() -> WhisperRecognizer:
        if not loaded:
            assert not isinstance(weights, Missing), weights
            loaded.append(load_recognizer(weights.path, *weights.more))
        return loaded[0]

    click.echo("| voice | WER % | SNR dB | PESQ-WB | STOI |\n|---|---|---|---|---|")
    for speaker in SPANISH_SPEAKERS:
        files = kept(folder, f"teacher-{speaker}", texts, lambda s=speaker: teacher_voice(s))
        click.echo(f"| Pico as {speaker} | {error_rate(files, texts, recognizer)} | | | |")
    counts = [int(word) for word in steps.split(",")]
    best: list[Path] = []
    for count in counts:
        make = lambda n=count: engine_voice(nfe_steps=n)  # noqa: E731
        files = kept(folder, f"lola-{count}", texts, make)
        best = best or files
        same = "reference | | " if files is best else parity(files, best)
        click.echo(f"| lola, NFE {count} | {error_rate(files, texts, recognizer)} | {same} |")
    files = kept(folder, "hugo-16", texts, lambda: engine_voice(nfe_steps=16, speaker="hugo"))
    click.echo(f"| hugo, NFE 16 | {error_rate(files, texts, recognizer)} | | | |")
    click.echo("\n| voice | rise, semitones (range) | above 3 |\n|---|---|---|")
    for speaker in SPANISH_SPEAKERS:
        gap = rises(folder, f"teacher-{speaker}", lambda s=speaker: teacher_voice(s))
        click.echo(f"| Pico as {speaker} | {gap} |")
        gap = rises(folder, speaker, lambda s=speaker: engine_voice(speaker=s))
        click.echo(f"| {speaker}, NFE 16 | {gap} |")
    click.echo(
        "\n| region | pitch, Hz | pitch range, semitones | letters per s |\n|---|---|---|---|"
    )
    for region in REGIONS:
        files = kept(
            folder, f"region-{region}", REGION_TEXT, lambda r=region: engine_voice(region=r)
        )
        pairs = list(zip(files, REGION_TEXT, strict=True))
        row = [
            np.nanmean([measured(metric, path, text) for path, text in pairs])
            for metric in (pitch_median, pitch_range, speech_rate)
        ]
        click.echo(f"| {region} | {row[0]:.0f} | {row[1]:.1f} | {row[2]:.1f} |")


if __name__ == "__main__":
    main()
