"""
Study of the words: what brackets, numbers, another language and a loop cost a recogniser.

    python -m tests.studies.words brackets|spanish|pauses FOLDER

`brackets`: flite and Pico (package py_nanotts) read texts with brackets, numbers and abbreviations;
word error rates against the text as it stands, and against the words that are heard. `spanish`:
espeak-ng and Pico read Spanish; the shortened window against the whole one, and which words err.
`pauses`: pause F1 at punctuation by speaker, as spoken, without its pauses, and with one more.
FOLDER keeps the audio.
"""

import subprocess
import sys
import time
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soxr

from voxgate.harness.audio.files import read_audio
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.prosody import pause_f1
from voxgate.harness.metrics.word_errors import ReadText, normalizer, text_errors
from voxgate.harness.models import whisper
from voxgate.harness.models.whisper_weights import WeightsFile, locate_weights
from voxgate.harness.records.measurement import Missing

READ = (
    ("[laughs] I did not know that.", "laughs I did not know that"),
    ("Call 1407 (room two).", "call one four zero seven room two"),
    ("The meeting (on Monday) is at noon.", "the meeting on Monday is at noon"),
    ("Press 5 to go back.", "press five to go back"),
    ("My code is 9021.", "my code is nine zero two one"),
    ("The train leaves from platform 12 (left side).",
     "the train leaves from platform twelve left side"),
    ("Doctor Smith (our dentist) moved to Boston.", "doctor Smith our dentist moved to Boston"),
    ("We need flour, sugar [brown] and salt.", "we need flour sugar brown and salt"),
    ("Um, I think so.", "um I think so"),
    ("The answer is (of course) no.", "the answer is of course no"),
)  # fmt: skip
"""Text, and its words as they are to be heard; digits one by one."""
SPANISH = """
Quiero aprender a tocar la guitarra.
Esta mañana dejé el paraguas en el autobús.
¿Me puedes pasar la sal, por favor?
La panadería de la esquina cierra a las seis.
Vamos a la playa si el tiempo sigue bueno.
Mi hermana trabaja en un hospital cerca del centro.
La reunión se cambió para el jueves por la tarde.
Olvidó apagar las luces antes de salir de casa.
Está lloviendo desde muy temprano.
¿Sabes a qué hora sale el tren de Madrid?
Los niños juegan al fútbol en el parque.
No encuentro mis gafas por ningún lado.
El restaurante nuevo estaba lleno, así que comimos en casa.
Por favor, cierra la ventana antes de acostarte.
Nuestros vecinos tienen dos perros y un gato muy viejo.
El médico me dijo que bebiera más agua.
Anoche vimos una película muy divertida.
La biblioteca tiene una sala tranquila para los estudiantes.
El vuelo se retrasó por la nieve.
Siempre leo unas páginas antes de dormir.
La tarta estaba muy rica, pero era demasiado dulce para mí.
Tenemos que comprar huevos y una barra de pan.
No podía recordar el nombre de la canción.
El jardín está precioso en primavera.
Viven en este pueblo desde hace más de veinte años.
¿Has estado alguna vez en la montaña en invierno?
Creo que nos equivocamos de camino hace un rato.
Las llaves están colgadas junto a la puerta.
Mi padre hace el mejor arroz los domingos.
El gato duerme encima del ordenador.
""".strip().splitlines()


def flite(voice: str) -> Callable[[str, Path], None]:
    """Return a speaker: text and file."""
    return lambda text, path: _run(["flite", "-voice", voice, "-t", text, "-o", str(path)])


def espeak(voice: str) -> Callable[[str, Path], None]:
    return lambda text, path: _run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text])


def pico(voice: str) -> Callable[[str, Path], None]:
    def say(text: str, path: Path) -> None:
        from py_nanotts import NanoTTS

        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(NanoTTS().speak(text, voice=voice))

    return say


def _run(words: list[str]) -> None:
    subprocess.run(words, check=True, capture_output=True)


def spoken(
    folder: Path, name: str, say: Callable[[str, Path], None], texts: Sequence[str]
) -> list[np.ndarray]:
    """Return the texts as audio of 16 kHz, made once."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    heard = []
    for number, text in enumerate(texts):
        path = folder / name / f"{number:02}.wav"
        if not path.is_file():
            say(text, path)
        samples, rate_hz = read_audio(path)
        heard.append(np.asarray(soxr.resample(samples, rate_hz, 16_000), np.float32))
    return heard


def judge(language: str) -> whisper.WhisperRecognizer:
    weights = locate_weights(None, language=language)
    assert isinstance(weights, WeightsFile)
    return whisper.load_recognizer(weights.path, *weights.more)


def rate(pairs: Sequence[tuple[str, str, str]], language: str, metric: str = "words") -> float:
    counts = [
        getattr(
            text_errors(ReadText(reference=said, heard=heard, spelled=spelled, language=language)),
            metric,
        )
        for said, heard, spelled in pairs
    ]
    known = [each for each in counts if not isinstance(each, Missing)]
    return sum(each.errors for each in known) / sum(each.reference_words for each in known)


def as_it_was(said: str, heard: str) -> tuple[int, int]:
    """Count as before: Whisper's normaliser deletes what stands in brackets."""
    import jiwer

    expected, found = (normalizer("en")(text) for text in (said, heard))
    aligned = jiwer.process_words(expected, found)
    missed = aligned.substitutions + aligned.deletions
    return missed + aligned.insertions, aligned.hits + missed


def brackets(folder: Path) -> None:
    """Print the rates of texts with brackets and numbers, read out and left out."""
    recogniser = judge("en")
    left_out = [_without_brackets(text) for text, _ in READ]
    for name, say in (("slt", flite("slt")), ("rms", flite("rms")), ("pico", pico("en-US"))):
        for what, texts in (
            ("read out", [words for _, words in READ]),
            ("left out", left_out),
        ):
            audio = spoken(folder, f"{name} {what}", say, texts)
            heard = recogniser.transcribe(audio)
            spelled = recogniser.transcribe(audio, digits=False)
            counts = [as_it_was(text, each) for (text, _), each in zip(READ, heard, strict=True)]
            before = sum(errors for errors, _ in counts) / sum(words for _, words in counts)
            columns = (
                [(text, a, b) for (text, _), a, b in zip(READ, heard, spelled, strict=True)],
                [(words, a, b) for (_, words), a, b in zip(READ, heard, spelled, strict=True)],
            )
            print(
                f"{name} {what}: before {before:.3f}, text {rate(columns[0], 'en'):.3f}, "
                f"spoken {rate(columns[1], 'en'):.3f}, verbatim "
                f"{rate(columns[1], 'en', 'verbatim'):.3f}"
            )
            for (text, _), plain, words in zip(READ, heard, spelled, strict=True):
                print("   ", repr(text), "|", plain, "|", words)


def _without_brackets(text: str) -> str:
    import re

    return re.sub(r"[\[(][^\])]*[\])]", "", text)


def spanish(folder: Path) -> None:
    """Print the rates of Spanish speech by window, and the seconds of computing."""
    recogniser = judge("es")
    for name, say in (
        ("pico es", pico("es-ES")),
        ("espeak es", espeak("es")),
    ):
        audio = spoken(folder, name, say, SPANISH)
        for what, encoded in (("whole", whisper.WINDOW_S), ("shortened", None)):
            started = time.perf_counter()
            heard = _heard(recogniser, audio, encoded)
            spent = time.perf_counter() - started
            pairs = [(text, each, "") for text, each in zip(SPANISH, heard, strict=True)]
            print(f"{name}, {what}: WER {rate(pairs, 'es'):.3f}, {spent:.1f} s of computing")
            if what == "whole":
                for text, each in zip(SPANISH, heard, strict=True):
                    print("   ", text, "|", each)


def _heard(
    recogniser: whisper.WhisperRecognizer, audio: list[np.ndarray], encoded: int | None
) -> list[str]:
    if encoded is not None:
        return recogniser.transcribe(audio, "es")
    whole, whisper.WINDOW_S = whisper.WINDOW_S, 30
    try:
        short = _Shortened(recogniser)
        return short.transcribe(audio)
    finally:
        whisper.WINDOW_S = whole


class _Shortened:
    """Decodes as for English: the window shortened to the audio."""

    def __init__(self, recogniser: whisper.WhisperRecognizer) -> None:
        self._recogniser = recogniser

    def transcribe(self, audio: list[np.ndarray]) -> list[str]:
        import torch
        import whisper as openai

        texts = []
        for each in audio:
            seconds = whisper.window_s(len(each) / 16_000)
            options = openai.DecodingOptions(
                language="es", temperature=0.0, without_timestamps=True, fp16=False,
                sample_len=whisper.MOST_TOKENS,
            )  # fmt: skip
            with torch.inference_mode():
                (found,) = openai.decode(
                    self._recogniser.model, self._recogniser.features([each], seconds), options
                )
            texts.append(found.text)
        return texts


def f1(audio: np.ndarray, text: str, language: str = "en") -> float:
    found = pause_f1(MetricInput(audio=Recording(audio, 16_000), text=text, language=language))
    return float("nan") if isinstance(found, Missing) else float(found)


def with_pauses_out(audio: np.ndarray) -> np.ndarray:
    from voxgate.harness.audio.activity import segments

    speech = segments(Recording(audio, 16_000))
    assert not isinstance(speech, Missing)
    keep = np.ones(len(audio), bool)
    for start, end in speech.pauses:
        keep[round((start + 0.03) * 16_000) : round((end - 0.03) * 16_000)] = False
    return audio[keep]


def with_pause_in(audio: np.ndarray, at: float) -> np.ndarray:
    place = round(at * len(audio))
    return np.concatenate([audio[:place], np.zeros(4_800, audio.dtype), audio[place:]])


def pauses(folder: Path) -> None:
    """Print pause F1 by speaker."""
    texts = list(COMMAS)
    speakers: Mapping[str, tuple[Callable[[str, Path], None], Sequence[str]]] = {
        **{f"flite {voice}": (flite(voice), texts) for voice in ("slt", "rms", "awb")},
        "espeak en": (espeak("en-us"), texts),
        "pico en": (pico("en-US"), texts),
        "espeak es": (espeak("es"), COMAS),
        "pico es": (pico("es-ES"), COMAS),
    }
    for name, (say, said) in speakers.items():
        report(name, spoken(folder, f"pauses {name}", say, said), said)
    people = folder / "people"
    if people.is_dir():
        rows = [line.split("|") for line in (people / "metadata.csv").read_text().splitlines()]
        for who in ("LJ", "p2"):
            chosen = [row for row in rows if row[0].startswith(who) and "," in row[2]][:40]
            found = [_read(people / "wavs" / f"{row[0]}.wav") for row in chosen]
            report(f"people {who}", found, [row[2] for row in chosen])


def _read(path: Path) -> np.ndarray:
    samples, rate_hz = read_audio(path)
    return np.asarray(soxr.resample(samples, rate_hz, 16_000), np.float32)


def report(name: str, audio: Sequence[np.ndarray], texts: Sequence[str]) -> None:
    plain = [f1(each, text) for each, text in zip(audio, texts, strict=True)]
    without = [f1(with_pauses_out(each), text) for each, text in zip(audio, texts, strict=True)]
    more = [f1(with_pause_in(each, 0.5), text) for each, text in zip(audio, texts, strict=True)]
    bare = [f1(each, text.replace(",", "")) for each, text in zip(audio, texts, strict=True)]
    print(
        f"{name}: n {len(plain)}, as spoken {np.nanmean(plain):.3f} "
        f"(1.0 in {np.mean(np.array(plain) == 1.0):.2f}), pauses out {np.nanmean(without):.3f}, "
        f"one more {np.nanmean(more):.3f}, text without commas {np.nanmean(bare):.3f}"
    )


COMMAS = (
    "Can you pass me the salt, please?",
    "The cake tasted wonderful, but it was too sweet for me.",
    "If you are hungry, there is some pizza in the fridge.",
    "The new restaurant was full, so we ate at home.",
    "He usually walks to work, even when it rains.",
    "We bought apples, pears, and a loaf of bread.",
    "She opened the letter; it was from her sister in Boston.",
    "There is one problem: nobody has the key to the door.",
    "I closed the window. The rain had started again.",
    "The meeting was moved to Thursday afternoon.",
    "I left my umbrella on the bus this morning.",
    "When the train stopped, everybody got up and looked for their bags.",
)
COMAS = (
    "¿Me puedes pasar la sal, por favor?",
    "La tarta estaba muy rica, pero era demasiado dulce para mí.",
    "Si tienes hambre, hay un poco de pan en la cocina.",
    "El restaurante nuevo estaba lleno, así que comimos en casa.",
    "Va al trabajo a pie, incluso cuando llueve.",
    "Compramos manzanas, peras y una barra de pan.",
    "Abrió la carta; era de su hermana de Madrid.",
    "Hay un problema: nadie tiene la llave de la puerta.",
    "Cerré la ventana. Otra vez había empezado a llover.",
    "La reunión se cambió para el jueves por la tarde.",
    "Esta mañana dejé el paraguas en el autobús.",
    "Cuando paró el tren, todos se levantaron y buscaron sus maletas.",
)


if __name__ == "__main__":
    {"brackets": brackets, "spanish": spanish, "pauses": pauses}[sys.argv[1]](Path(sys.argv[2]))
