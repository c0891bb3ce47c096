"""
Study of prosody on planted cases, by Pico, espeak-ng and flite, in English and Spanish.

    python -m tests.studies.prosody intonation|pauses|lines|emphasis FOLDER

`intonation`: the rise at the end of statements and questions, and of questions made flat. `lines`:
declination and pace of paragraphs, as spoken, tilted and at another pace. `emphasis`: Spanish words
that are raised, louder and longer, and their neighbours. `pauses`: precision and recall at
punctuation. FOLDER keeps the audio.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.studies.words import espeak, flite, pico, spoken
from voxgate.harness.audio.phone_alignment import align_phones
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.spanish_phones import phones_of, spanish_words
from voxgate.harness.metrics import intonation, prosody
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.records.measurement import Missing, Value

RATE_HZ = 16_000
SPEAKERS = {
    "es": {"Pico es-ES": pico("es-ES"), "espeak-ng es": espeak("es")},
    "en": {
        "Pico en-US": pico("en-US"),
        "Pico en-GB": pico("en-GB"),
        "espeak-ng en-us": espeak("en-us"),
        "flite slt": flite("slt"),
        "flite rms": flite("rms"),
        "flite awb": flite("awb"),
    },
}
YES_NO = {
    "es": """
Vienes mañana a la fiesta
Tienes las llaves del coche
Hace frío en la montaña
Ha llegado el médico
Quieres un vaso de agua
Está abierta la panadería
Viven tus padres en Sevilla
Te gusta el chocolate
Han cerrado la ventana
Sale el tren a las ocho
Es nueva esa camisa
Has leído la carta
Puede esperar un momento
Hay sitio para todos
Vamos juntos al cine
Duerme ya la niña
""".strip().splitlines(),
    "en": """
You are coming to the party tomorrow
You have the keys of the car
It is cold in the mountains
The doctor has arrived
You want a glass of water
The bakery is open
Your parents live in Boston
You like chocolate
They have closed the window
The train leaves at eight
That shirt is new
You have read the letter
He can wait a moment
There is room for everybody
We are going home together
The baby is sleeping now
""".strip().splitlines(),
}
WH = {
    "es": """
Dónde viven tus padres
Cuándo sale el tren
Quién ha llegado
Por qué no vienes mañana
Cómo se llama tu hermano
Cuánto cuesta la entrada
Qué quieres beber
Cuál es tu camisa
A qué hora cierran
De dónde vienes ahora
Con quién vas al cine
Qué hay en la mesa
""".strip().splitlines(),
    "en": """
Where do your parents live
When does the train leave
Who has arrived
Why are you not coming tomorrow
How do you spell your name
How much is the ticket
What do you want to drink
Which shirt is yours
What time do they close
Where are you from
Who are you going with
What is on the table
""".strip().splitlines(),
}
PARAGRAPHS = {
    "es": [
        "El tren salió temprano de la estación. Los viajeros miraban por la ventana el "
        "paisaje verde del valle, y nadie hablaba. Al mediodía llegaron a un pueblo pequeño "
        "junto al río.",
        "Mi abuela guardaba las cartas en una caja de madera. Cada noche leía una de ellas en "
        "voz baja, sentada junto al fuego. Nunca supimos quién las había escrito.",
        "La biblioteca abre a las nueve de la mañana. En la primera planta están las novelas, "
        "en la segunda los libros de historia. Los niños tienen una sala propia con mesas "
        "bajas.",
        "Anoche la lluvia golpeaba los cristales de la casa. El perro dormía debajo de la "
        "mesa, y el gato vigilaba la puerta. Por la mañana el jardín estaba lleno de hojas.",
    ],
    "en": [
        "The train left the station early in the morning. The travellers looked out of the "
        "window at the green valley, and nobody said a word. At noon they came to a small "
        "village by the river.",
        "My grandmother kept the letters in a wooden box. Every night she read one of them in "
        "a low voice, sitting close to the fire. We never knew who had written them.",
        "The library opens at nine in the morning. On the first floor there are the novels, "
        "on the second the books about history. The children have a room of their own with "
        "low tables.",
        "Last night the rain was beating on the windows of the house. The dog slept under the "
        "table, and the cat watched the door. In the morning the garden was full of leaves.",
    ],
}
STRESSED = """
El tren llega mañana por la tarde|mañana
Mi hermana vive en Madrid desde enero|Madrid
Quiero el libro verde de la mesa|verde
Juan compró dos entradas para el cine|dos
La reunión empieza el lunes a las nueve|lunes
Nadie conoce la verdad de esta historia|nadie
Vamos a cenar en casa de Pedro|casa
El médico trabaja siempre de noche|siempre
La niña perdió su muñeca nueva|muñeca
Ese perro ladra toda la noche|toda
Compramos pan blanco en la tienda|blanco
Mi padre nunca bebe café frío|nunca
El coche rojo ganó la carrera|rojo
Tu amiga canta muy bien en el coro|amiga
La puerta grande estaba cerrada ayer|grande
Los niños juegan en el parque viejo|parque
""".strip().splitlines()


def as_question(text: str, language: str) -> str:
    return f"¿{text}?" if language == "es" else f"{text}?"


def value(score: Callable[[MetricInput], Value], **given: object) -> float:
    found = score(MetricInput(**given))  # type: ignore[arg-type]
    return float("nan") if isinstance(found, Missing) else found


def resynthesised(samples: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return a copy by WORLD whose pitch, in Hz every 5 ms, is changed."""
    import pyworld

    f0, times = pyworld.dio(samples.astype(np.float64), RATE_HZ)
    f0 = pyworld.stonemask(samples.astype(np.float64), f0, times, RATE_HZ)
    envelope = pyworld.cheaptrick(samples.astype(np.float64), f0, times, RATE_HZ)
    noise = pyworld.d4c(samples.astype(np.float64), f0, times, RATE_HZ)
    return np.asarray(pyworld.synthesize(change(f0), envelope, noise, RATE_HZ, 5.0))


def flat_end(f0: np.ndarray) -> np.ndarray:
    """Let the last 0.5 s of voice fall by 3 semitones from where they begin."""
    voiced = np.flatnonzero(f0)[-100:]
    made = f0.copy()
    made[voiced] = f0[voiced[0]] * 2.0 ** (-3.0 * np.linspace(0.0, 1.0, len(voiced)) / 12.0)
    return made


def share(found: Sequence[float], rises: bool) -> str:
    right = sum((each >= intonation.RISING) == rises for each in found)
    return f"{right} of {len(found)}"


def intonations(folder: Path) -> None:
    """Print how many ends rise, and what the flat ones do."""
    for language, speakers in SPEAKERS.items():
        for name, say in speakers.items():
            asked = [as_question(text, language) for text in YES_NO[language]]
            told = [f"{text}." for text in YES_NO[language]]
            which = [as_question(text, language) for text in WH[language]]
            ends = {}
            for kind, texts in (("statement", told), ("yes_no", asked), ("wh", which)):
                heard = spoken(folder, f"{name}-{kind}".replace(" ", "-"), say, texts)
                ends[kind] = heard
            flat = [resynthesised(each, flat_end) for each in ends["yes_no"]]
            copy = [resynthesised(each, lambda f0: f0) for each in ends["yes_no"]]
            rises = {
                kind: [value(intonation.end_rise, audio=Recording(each, RATE_HZ)) for each in heard]
                for kind, heard in {**ends, "copy": copy, "flat": flat}.items()
            }
            paired = [
                value(
                    prosody.question_rise,
                    audio=Recording(one, RATE_HZ),
                    statement=Recording(other, RATE_HZ),
                )
                for one, other in zip(ends["yes_no"], ends["statement"], strict=True)
            ]
            cells = [
                f"{np.min(found):.1f} {np.median(found):.1f} {np.max(found):.1f}"
                for found in (*rises.values(), paired)
            ]
            rising = [sum(each >= intonation.RISING for each in found) for found in rises.values()]
            counts = [
                f"{count} of {len(found)}"
                for count, found in zip(rising, rises.values(), strict=True)
            ]
            print(f"| {name} | " + " | ".join([*counts, *cells]) + " |", flush=True)


def lines(folder: Path) -> None:
    """Print declination and pace of paragraphs, tilted and at another pace."""
    for language, speakers in SPEAKERS.items():
        for name, say in speakers.items():
            heard = spoken(folder, f"{name}-paragraph".replace(" ", "-"), say, PARAGRAPHS[language])
            slopes, paces = [], []
            for samples in heard:

                def tilted(by: float) -> Callable[[np.ndarray], np.ndarray]:
                    return lambda f0: f0 * 2.0 ** (by * 0.005 * np.arange(len(f0)) / 12.0)

                versions = [
                    samples,
                    *(resynthesised(samples, tilted(by)) for by in (0.0, 1.0, -1.0)),
                ]
                slopes.append(
                    [
                        value(intonation.declination, audio=Recording(each, RATE_HZ))
                        for each in versions
                    ]
                )
                faster = Recording(samples, round(RATE_HZ * 1.1))
                paces.append(
                    value(
                        intonation.pace_ratio,
                        audio=faster,
                        reference=Recording(samples, RATE_HZ),
                    )
                )
            table = np.array(slopes)
            print(
                f"| {name} | {table[:, 0].mean():.2f} ({table[:, 0].min():.2f} to "
                f"{table[:, 0].max():.2f}) | "
                + " | ".join(f"{(table[:, at] - table[:, 1]).mean():+.2f}" for at in (2, 3))
                + f" | {np.mean(paces):.3f} |",
                flush=True,
            )


def stressed(samples: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    """Raise a stretch by 3 semitones and 3 dB, and make it a quarter longer."""
    import pyworld

    x = samples.astype(np.float64)
    f0, times = pyworld.dio(x, RATE_HZ)
    f0 = pyworld.stonemask(x, f0, times, RATE_HZ)
    envelope = pyworld.cheaptrick(x, f0, times, RATE_HZ)
    noise = pyworld.d4c(x, f0, times, RATE_HZ)
    inside = (times >= start_s) & (times < end_s)
    f0 = np.where(inside, f0 * 2.0 ** (3.0 / 12.0), f0)
    envelope = np.where(inside[:, None], envelope * 10.0**0.3, envelope)
    repeat = np.where(inside & (np.arange(len(f0)) % 4 == 0), 2, 1)
    parts = [np.repeat(each, repeat, axis=0) for each in (f0, envelope, noise)]
    return np.asarray(pyworld.synthesize(*parts, RATE_HZ, 5.0))


def emphasis(folder: Path) -> None:
    """Print what the marked word gains when it, and when its neighbour, is stressed."""
    pairs = [line.split("|") for line in STRESSED]
    for name, say in SPEAKERS["es"].items():
        heard = spoken(folder, f"{name}-word".replace(" ", "-"), say, [f"{t}." for t, _ in pairs])
        gains: dict[str, list[list[float]]] = {"own": [], "neighbour": []}
        for samples, (text, word) in zip(heard, pairs, strict=True):
            words = spanish_words(text)
            at = words.index(word.lower())
            times = align_phones(Recording(samples, RATE_HZ), [phones_of(each) for each in words])
            assert not isinstance(times, Missing)
            other = at + 1 if at + 1 < len(words) and len(words[at + 1]) > 3 else at - 1
            plain = resynthesised(samples, lambda f0: f0)
            for kind, index in (("own", at), ("neighbour", other)):
                own = [each for each in times if each.word == index]
                changed = stressed(samples, own[0].start_s, own[-1].end_s)
                gains[kind].append(
                    [
                        value(score, audio=Recording(changed, RATE_HZ), **marked)
                        - value(score, audio=Recording(plain, RATE_HZ), **marked)
                        for score in SCORES
                        for marked in ({"text": text, "emphasis": word, "language": "es"},)
                    ]
                )
        for kind, rows in gains.items():
            table = np.array(rows)
            cells = [
                f"{np.median(table[:, at]):+.2f}, {np.sum(table[:, at] > least)} of {len(table)}"
                for at, least in enumerate(LEAST)
            ]
            print(f"| {name} | {kind} | " + " | ".join(cells) + " |", flush=True)


SCORES = (prosody.emphasis_prominence, prosody.emphasis_level, prosody.emphasis_length)
LEAST = (1.0, 1.0, 0.1)
"""The gain of each from which a word counts as stressed."""


def pauses(folder: Path) -> None:
    """Print precision and recall of the pauses of paragraphs, as spoken and without pauses."""
    for language, speakers in SPEAKERS.items():
        for name, say in speakers.items():
            heard = spoken(folder, f"{name}-paragraph".replace(" ", "-"), say, PARAGRAPHS[language])
            rows = []
            for samples, text in zip(heard, PARAGRAPHS[language], strict=True):
                level = np.sqrt(np.convolve(samples**2, np.ones(320) / 320, mode="same"))
                closed = samples[level > 0.01 * level.max()]
                middle = int(np.argmax(samples[len(samples) // 3 :]) + len(samples) // 3)
                broken = np.concatenate([samples[:middle], np.zeros(6400), samples[middle:]])
                rows.append(
                    [
                        value(score, audio=Recording(each, RATE_HZ), text=text, language=language)
                        for each in (samples, closed, broken)
                        for score in (prosody.pause_precision, prosody.pause_recall)
                    ]
                )
            means = np.mean(rows, axis=0)
            print(f"| {name} | " + " | ".join(f"{each:.2f}" for each in means) + " |", flush=True)


if __name__ == "__main__":
    {"intonation": intonations, "pauses": pauses, "lines": lines, "emphasis": emphasis}[
        sys.argv[1]
    ](Path(sys.argv[2]))
