"""
Study of Spanish accents: train the phone model, and count the errors of the accent's metrics.

    python -m tests.studies.spanish_accent train|times|accent|samples FOLDER

Speakers: Pico es-ES (package py_nanotts), the same lowered by WORLD, and espeak-ng, whose own
phone times are the first labels. `train` writes harness/audio/spanish_phones.json. `times` holds
its phone times against espeak-ng's. `accent` makes fixtures of each accent and counts how they are
heard. `samples` makes the recordings of tests/data/spanish. FOLDER keeps the audio.
"""

import ctypes
import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from voxgate.harness.audio import phone_alignment
from voxgate.harness.audio.accent import region_fit, slot_sounds
from voxgate.harness.audio.files import read_audio, write_flac, write_wav
from voxgate.harness.audio.phone_alignment import PhoneModel, PhoneTime
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.spanish_phones import phones_of, spanish_words
from voxgate.harness.records.measurement import Missing

TRAINED = """
La lluvia llena las calles del barrio viejo.
Ayer mi yerno llegó con la llave de la casa amarilla.
El caballo bayo cruzó el arroyo sin hacer ruido.
Doce cerezas y diez ciruelas caben en la taza azul.
La princesa hizo cinco lazos con hilo de seda gris.
Estos días los vecinos buscan un piso más cerca del centro.
El chico chino echó la leche en el cacharro.
Mañana por la mañana el niño irá a la montaña.
El jefe viajó a la región con su hija y dejó la caja roja.
El perro corre por el cerro y rompe las ramas.
Pedro pidió pan, queso, jamón y una botella de vino.
¿Quién quiere guiso de gallina con guisantes?
La cigüeña y el pingüino viven lejos de la laguna.
Fuimos a la fiesta de Felipe en febrero.
Hay un buey, un rey y una ley muy antigua.
Mi tía leía un diario mientras oía el piano.
Hemos visto ocho huevos en el nido del halcón.
Trabajo todo el año y descanso dos veces.
Cuando nieva, la nieve cubre los árboles blancos.
Bebe agua fresca y come fruta madura cada tarde.
Un grupo de gente joven cantaba junto al fuego.
El dueño del hotel guarda las maletas grandes.
La abuela cosía una blusa blanca de algodón.
Los peces nadan deprisa bajo el puente de piedra.
Yo ya no llamo a nadie después de las once.
El tren llega tarde desde Zaragoza hasta Cádiz.
Cierra la puerta, enciende la luz y siéntate.
Nos gusta pasear despacio por el bosque oscuro.
El español y el inglés se hablan en muchas ciudades.
Aquella silla vieja cayó y se rompió la orilla.
¿Has estado alguna vez en Sevilla o en Mallorca?
La noche estrellada brilla sobre el valle callado.
El mayo pasado construyeron una playa de arena.
Este pescado fresco cuesta siete euros y medio.
Los músicos tocan valses y danzas hasta medianoche.
La señora Muñoz enseña matemáticas en la escuela.
Mis amigos dicen que el azúcar no es sano.
Juan trajo naranjas rojas del jardín de Jorge.
El zorro y la zorra corren hacia el bosque.
Un ratón roía la rueda rota del carro.
""".strip().splitlines()
HELD_OUT = """
El pollo y la cebolla están sobre la mesa pequeña.
Ya llueve en la villa y nadie sale a la calle.
La cocina está cerca de la plaza mayor.
Hace calor y los mosquitos molestan desde anoche.
Mi hermano busca un taller para su coche azul.
Cada jueves desayuno con ellas junto a la orilla.
El payaso lleva zapatos negros y un chaleco verde.
Nadie conoce la razón de aquel silencio.
Las estrellas brillan más lejos de las ciudades.
Compré lechuga, arroz, cilantro y una calabaza.
El cielo gris anuncia tormenta esta noche.
La yegua blanca huyó hacia el valle.
Ella halló un anillo en el castillo amarillo.
¿Cuántas veces has leído este libro?
Los turistas descansan en las hamacas.
Quisiera un billete hacia Barcelona, gracias.
El muelle está lleno de barcos pesqueros.
La ensalada lleva zanahoria rallada y nueces.
Yolanda y Guillermo viven en Castilla.
Escuchamos el mismo disco dos veces.
""".strip().splitlines()
TESTED = """
El yeso de la pared se cayó otra vez.
Mi vecina lleva siempre una llave de repuesto.
Los ciegos cruzan despacio la plaza del castillo.
El zumo de cereza mancha los manteles blancos.
Yo no hallo las gafas desde el martes.
Las gallinas picotean el maíz en el suelo.
Ese cazador conoce bien los bosques del norte.
La orquesta tocó un vals muy despacio.
Una estrella fugaz cruzó el cielo de agosto.
El payés vende cebollas y ciruelas en el mercado.
Tengo que llamar a mis primos esta noche.
Me duelen los pies después del largo paseo.
La silla amarilla está junto a la chimenea.
El inglés desayuna huevos con tocino y café.
Vosotros no sabéis cuánto pesa este cajón.
El arroyo crece mucho en los meses fríos.
Cincuenta soldados marcharon hacia la frontera.
La niña dibuja casas, soles y mariposas grandes.
Ayuda a tu hermano, que llega muy cansado.
Las noticias de hoy son peores que las de ayer.
""".strip().splitlines()
"""Of which nothing was heard before every threshold stood."""
RATE_HZ = 16_000
LOWER = 0.8, 0.9
"""The second voice: of pitch, and of the formants."""


def pico(text: str, speed: float = 1.0, pitch: float = 1.0) -> np.ndarray:
    from py_nanotts import NanoTTS

    said = NanoTTS().speak(text, voice="es-ES", speed=speed, pitch=pitch, volume=0.5)
    return np.frombuffer(said, dtype=np.int16) / 32768.0


def lowered(samples: np.ndarray) -> np.ndarray:
    """Return the second voice: lower, and of a longer vocal tract."""
    import pyworld

    f0, times = pyworld.dio(samples, RATE_HZ, f0_floor=60.0)
    f0 = pyworld.stonemask(samples, f0, times, RATE_HZ)
    envelope = pyworld.cheaptrick(samples, f0, times, RATE_HZ)
    noise = pyworld.d4c(samples, f0, times, RATE_HZ)
    bins = np.arange(envelope.shape[1])
    warp = np.minimum(bins / LOWER[1], bins[-1])
    moved = np.exp([np.interp(warp, bins, row) for row in np.log(envelope)])
    return np.asarray(pyworld.synthesize(f0 * LOWER[0], moved, noise, RATE_HZ, 5.0))


def kept(folder: Path, name: str, make) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return audio that is made once."""
    path = folder / f"{name}.wav"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.asarray(make(), np.float32), RATE_HZ)
    return np.asarray(read_audio(path)[0], dtype=np.float64)


def words_of(text: str) -> list[tuple[str, ...]]:
    return [phones_of(word) for word in spanish_words(text)]


def corpus(folder: Path, texts: list[str], name: str) -> list[tuple[Recording, str, str]]:
    """Return each text by each speaker: recording, text and speaker."""
    found = []
    for number, text in enumerate(texts):
        speed = (1.0, 0.85, 1.15)[number % 3]
        first = kept(folder, f"{name}/pico-{number:02}", lambda: pico(text, speed))  # noqa: B023
        second = kept(folder, f"{name}/low-{number:02}", lambda: lowered(first))  # noqa: B023
        found += [
            (Recording(first, RATE_HZ), text, "pico"),
            (Recording(second, RATE_HZ), text, "low"),
        ]
    return found


def segmented(
    utterances: list[tuple[np.ndarray, list[tuple[str, ...]]]], model: PhoneModel | None
) -> dict[str, list[list[np.ndarray]]]:
    """Return the frames of each state of each phone: by the model, or evenly."""
    found: dict[str, list[list[np.ndarray]]] = {}
    for frames, words in utterances:
        chain = phone_alignment._chain(words)
        if model is None:
            keep = [
                i
                for i, (p, _, _) in enumerate(chain.phones)
                if p != "_" or i in (0, len(chain.phones) - 1)
            ]
            level = frames[:, phone_alignment.ORDER]
            loud = np.flatnonzero(level > -6.0)
            inner = np.linspace(loud[0], loud[-1] + 1, len(keep) - 1).astype(int)
            edges = np.concatenate(([0], inner, [len(frames)]))
            path = np.zeros(len(frames), dtype=int)
            for unit, start, end in zip(keep, edges[:-1], edges[1:], strict=True):
                share = (np.arange(end - start) * 3) // max(end - start, 1)
                path[start:end] = unit * 3 + share
        else:
            path = phone_alignment._best_path(
                phone_alignment._likelihoods(frames, chain, model), chain
            )
        for state in np.unique(path):
            phone = chain.phones[state // 3][0]
            rows = found.setdefault(phone, [[], [], []])
            rows[state % 3].append(frames[path == state])
    return found


def estimated(found: dict[str, list[list[np.ndarray]]]) -> PhoneModel:
    everything = np.concatenate([r for rows in found.values() for row in rows for r in row])
    floor = 0.05 * everything.var(axis=0)
    means, variances = {}, {}
    for phone, rows in found.items():
        pooled = np.concatenate([r for row in rows for r in row])
        states = [np.concatenate(row) if row else pooled for row in rows]
        means[phone] = np.array([state.mean(axis=0) for state in states])
        variances[phone] = np.array(
            [
                np.maximum(s.var(axis=0) if len(s) > 20 else pooled.var(axis=0), floor)
                for s in states
            ]
        )
    return PhoneModel(means=means, variances=variances)


def trained(
    data: list[tuple[Recording, str, str]], rounds: int = 12, start: PhoneModel | None = None
) -> PhoneModel:
    utterances = [(phone_alignment.features(r), words_of(text)) for r, text, _ in data]
    model = start or estimated(segmented(utterances, None))
    for _ in range(rounds):
        model = estimated(segmented(utterances, model))
    return model


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_ms", ctypes.c_int), ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p), ("name", ctypes.c_char * 8),
    )  # fmt: skip


def espeak(text: str, voice: str, speed: int = 150) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """Return espeak-ng's speech at RATE_HZ, and each phoneme with its begin in seconds."""
    import soxr

    library = ctypes.CDLL("libespeak-ng.so.1")
    rate_hz = library.espeak_Initialize(1, 200, None, 1)
    heard: list[int] = []
    events: list[tuple[str, float]] = []

    @ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
    )
    def collect(samples, count, found):  # type: ignore[no-untyped-def]
        if samples:
            heard.extend(samples[:count])
        at = 0
        while found[at].type:
            if found[at].type == 7:
                events.append((found[at].name.decode(), found[at].audio_ms / 1000.0))
            at += 1
        return 0

    library.espeak_SetSynthCallback(collect)
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(1, speed, 0)
    said = text.encode() + b"\0"
    library.espeak_Synth(said, len(said), 0, 1, 0, 1, None, None)
    library.espeak_Synchronize()
    library.espeak_Terminate()
    samples = np.asarray(heard, dtype=np.float64) / 32768.0
    return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ)), events


def sibilant(
    samples: np.ndarray, times: tuple[PhoneTime, ...], count: int, seed: int
) -> np.ndarray:
    """Return noise of the colour and level of a recording's ch releases, `count` samples."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import butter, lfilter, sosfiltfilt

    parts = [
        samples[round((t.start_s + 0.55 * (t.end_s - t.start_s)) * RATE_HZ) :][
            : round((0.45 * (t.end_s - t.start_s) - 0.005) * RATE_HZ)
        ]
        for t in times if t.phone == "ch"
    ]  # fmt: skip
    heard = max(parts, key=lambda part: float(np.mean(part**2)))
    full = np.correlate(heard, heard, "full")[len(heard) - 1 :][:17]
    full[0] *= 1.0001
    predictor = solve_toeplitz(full[:-1], full[1:])
    noise = np.random.default_rng(seed).standard_normal(count)
    made = lfilter([1.0], np.concatenate(([1.0], -predictor)), noise)
    made = sosfiltfilt(butter(4, 1200.0, "highpass", fs=RATE_HZ, output="sos"), made)
    return np.asarray(made * np.sqrt(np.mean(heard**2) / np.mean(made**2)))


def spliced(
    samples: np.ndarray, times: tuple[PhoneTime, ...], release: np.ndarray, voiced: bool
) -> np.ndarray:
    """Return a recording with a "sh" (or, voiced, a "zh") in place of each ll and y."""
    from scipy.signal import butter, sosfiltfilt

    bar = sosfiltfilt(butter(4, 500.0, fs=RATE_HZ, output="sos"), samples)
    made = samples.copy()
    for number, time in enumerate(t for t in times if t.phone in ("ll", "y")):
        start, end = round(time.start_s * RATE_HZ), round(time.end_s * RATE_HZ)
        noise = release[1000 * number :][: end - start]
        sound = 0.6 * noise + 0.6 * bar[start:end] if voiced else noise
        fade = np.clip(
            np.minimum(np.arange(end - start), np.arange(end - start)[::-1]) / (0.006 * RATE_HZ),
            0,
            1,
        )
        made[start:end] = fade * sound + (1 - fade) * samples[start:end]
    return made


NAMES = {
    "l^": "ll", "T": "th", "B": "b", "D": "d", "Q": "g", "n^": "ny", "S": "sh", "tS": "ch",
    "R": "rr", "**": "r", "_:": "_", "J^": "y", "J": "y", "N": "n", "v": "b", "z": "s",
}  # fmt: skip
"""espeak-ng's phonemes that are called otherwise here."""
Label = tuple[str, int, int, float, float]


def labelled(text: str, voice: str) -> tuple[np.ndarray, list[Label] | None]:
    """Return espeak-ng's speech and (phone, word, index, start, end); None where phones differ."""
    samples, events = espeak(text, voice)
    found: list[tuple[str, float]] = []
    for name, at in events:
        phone = NAMES.get(name.strip("'"), name.strip("'"))
        twice = voice == "es-419" and phone == "j" and found and found[-1][0] == "j"
        if twice and at - found[-1][1] < 0.06:
            found[-1] = ("y", found[-1][1])
            continue
        found.append((phone, at))
    ends = [at for _, at in found[1:]] + [len(samples) / RATE_HZ]
    said = [(at, end) for (phone, at), end in zip(found, ends, strict=True) if phone != "_"]
    flat = [(p, w, k) for w, phones in enumerate(words_of(text)) for k, p in enumerate(phones)]
    if len(said) != len(flat):
        return samples, None
    return samples, [(*place, *times) for place, times in zip(flat, said, strict=True)]


def first_labels(folder: Path) -> tuple[PhoneModel, list[tuple[Recording, str, str]]]:
    """Return a model by espeak-ng's labels, and all recordings to go on with."""
    found: dict[str, list[list[np.ndarray]]] = {"_": [[], [], []]}
    data = corpus(folder, TRAINED, "train")
    for voice in ("es", "es-419"):
        for text in TRAINED:
            samples, labels = labelled(text, voice)
            data.append((Recording(samples, RATE_HZ), text, voice))
            frames = phone_alignment.features(data[-1][0])
            for phone, _, _, start, end in labels or ():
                part = frames[round(start / 0.005) : round(end / 0.005)]
                rows = found.setdefault(phone, [[], [], []])
                for state in range(3):
                    rows[state].append(
                        part[(np.arange(len(part)) * 3) // max(len(part), 1) == state]
                    )
    for recording, _, _ in data:
        frames = phone_alignment.features(recording)
        for rows in found["_"]:
            rows.append(frames[frames[:, phone_alignment.ORDER] < -7.0])
    return estimated(found), data


def releases(folder: Path, model: PhoneModel | None = None) -> dict[str, np.ndarray]:
    """Return noise of the colour of each speaker's ch."""
    found = {}
    text = TRAINED[6]
    for who in SPEAKERS:
        samples = said(folder, "train", who, 6, text)
        times = phone_alignment.align_phones(Recording(samples, RATE_HZ), words_of(text), model)
        assert not isinstance(times, Missing)
        found[who] = sibilant(samples, times, RATE_HZ, 1)
    return found


SPEAKERS = ("pico", "low", "espeak")


def said(folder: Path, name: str, who: str, number: int, text: str) -> np.ndarray:
    """Return a text by a speaker, made once."""
    if who == "espeak":
        return espeak(text, "es")[0]
    speed = (1.0, 0.85, 1.15)[number % 3]
    first = kept(folder, f"{name}/pico-{number:02}", lambda: pico(text, speed))
    return (
        first if who == "pico" else kept(folder, f"{name}/low-{number:02}", lambda: lowered(first))
    )


def train(folder: Path) -> None:
    """Train by espeak-ng's labels, by alignment, and sh and zh by splices; write the model."""
    start, data = first_labels(folder)
    model = trained(data, 6, start)
    noises = releases(folder, model)
    floor = np.min([model.variances[each] for each in "aeiou"], axis=(0, 1))
    for kind in ("sh", "zh"):
        rows: list[list[np.ndarray]] = [[], [], []]
        for number, text in enumerate(TRAINED):
            for who in SPEAKERS:
                samples = said(folder, "train", who, number, text)
                times = phone_alignment.align_phones(
                    Recording(samples, RATE_HZ), words_of(text), model
                )
                made = spliced(samples, times, noises[who], kind == "zh")
                frames = phone_alignment.features(Recording(made, RATE_HZ))
                for time in times:
                    part = frames[round(time.start_s / 0.005) : round(time.end_s / 0.005)]
                    if time.phone in ("ll", "y"):
                        for state in range(3):
                            inside = (np.arange(len(part)) * 3) // len(part) == state
                            rows[state].append(part[inside])
        model.means[kind] = np.array([np.concatenate(each).mean(0) for each in rows])
        model.variances[kind] = np.array(
            [np.maximum(np.concatenate(each).var(0), floor) for each in rows]
        )
    write(model)


def write(model: PhoneModel) -> None:
    parts = []
    for name, rows in (("means", model.means), ("variances", model.variances)):
        phones = ",\n".join(
            f"{json.dumps(phone)}: "
            + json.dumps(
                [[float(f"{x:.3g}") for x in row] for row in rows[phone]], separators=(",", ":")
            )
            for phone in sorted(rows)
        )
        parts.append(f'"{name}": {{\n{phones}\n}}')
    phone_alignment.MODEL.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def times(folder: Path) -> None:
    """Print how far phones begin from where espeak-ng says, in texts that trained nothing."""
    for voice in ("es", "es-419"):
        late = []
        for text in (*HELD_OUT, *TESTED):
            samples, labels = labelled(text, voice)
            begins = {(word, index): start for _, word, index, start, _ in labels or ()}
            found = phone_alignment.align_phones(Recording(samples, RATE_HZ), words_of(text))
            assert not isinstance(found, Missing)
            late += [t.start_s - begins[t.word, t.index] for t in found if begins]
        off = np.abs(late)
        print(
            f"| espeak-ng {voice} | {len(off)} | {1000 * np.median(off):.0f} ms | "
            f"{1000 * np.percentile(off, 90):.0f} ms | {100 * np.mean(off < 0.04):.0f} % |"
        )


def with_s(text: str) -> str:
    return re.sub(r"c(?=[eiéí])", "s", text.replace("z", "s").replace("Z", "S").replace("Ci", "Si"))


def without_s(text: str, by: str) -> str:
    """Replace each s before a consonant that is heard by itself."""
    before = r"[bcdfgjklmnpqtvyñ]|,? [bdfghjklmnpqtvyñ]|,? c[aou]"
    return re.sub(rf"s(?={before})", by, text)


FIXTURES = {
    "as spoken": lambda text: text,
    "c, z as s": with_s,
    "s left out": lambda text: without_s(text, ""),
    "s as j": lambda text: without_s(text, "j"),
    "all of the River Plate": lambda text: without_s(with_s(text), "j"),
}
SHOWN = {
    "as spoken": ("ll", "theta", "coda_s"),
    "c, z as s": ("theta",),
    "s left out": ("coda_s",),
    "s as j": ("coda_s",),
    "sh for ll": ("ll",),
    "zh for ll": ("ll",),
    "River Plate": ("ll", "theta", "coda_s"),
}


def accent(folder: Path) -> None:  # noqa: C901 - two nested tables
    """Print how each slot of each fixture is heard, and how well each fixture fits each region."""
    noises = releases(folder)
    for set_, texts in (("held", HELD_OUT), ("tested", TESTED)):
        heard: dict[tuple[str, str, str], Counter[str]] = {}
        fits: dict[tuple[str, str, str], list[float]] = {}
        for number, text in enumerate(texts):
            for who in SPEAKERS:
                made = {
                    name: said(folder, f"{set_}-{at}", who, number, change(text))
                    for at, (name, change) in enumerate(FIXTURES.items())
                }
                for source, name, voiced in (
                    ("as spoken", "sh for ll", False),
                    ("as spoken", "zh for ll", True),
                    ("all of the River Plate", "River Plate", False),
                ):
                    found = phone_alignment.align_phones(
                        Recording(made[source], RATE_HZ), words_of(text)
                    )
                    made[name] = spliced(made[source], found, noises[who], voiced)
                made.pop("all of the River Plate")
                for name, samples in made.items():
                    sounds = slot_sounds(Recording(samples, RATE_HZ), text)
                    assert not isinstance(sounds, Missing)
                    for each in sounds:
                        if each.slot.value in SHOWN[name]:
                            key = (name, each.slot.value, who)
                            heard.setdefault(key, Counter())[each.sound.value] += 1
                    for region in ("es", "rioplatense", "mexico"):
                        if sounds and name in ("as spoken", "c, z as s", "River Plate"):
                            fitting, count = region_fit(sounds, region)
                            fits.setdefault((name, who, region), []).append(fitting / count)
        for (name, slot, who), counts in sorted(heard.items()):
            told = ", ".join(f"{sound} {count}" for sound, count in counts.most_common())
            print(f"| {set_} | {name} | {slot} | {who} | {told} |", flush=True)
        for (name, who, region), shares in sorted(fits.items()):
            print(f"| {set_} | {name} | {who} | {region} | {len(shares)} | {np.mean(shares):.3f} |")


SAMPLE = "Ayer llovió en la plaza y las calles están vacías desde las doce."


def samples(folder: Path) -> None:
    """Write the three recordings of tests/data/spanish into FOLDER."""
    river = pico(without_s(with_s(SAMPLE), "j"))
    found = phone_alignment.align_phones(Recording(river, RATE_HZ), words_of(SAMPLE))
    made = {
        "es": pico(SAMPLE),
        "mexico": pico(with_s(SAMPLE)),
        "rioplatense": spliced(river, found, releases(folder)["pico"], False),
    }
    for name, heard in made.items():
        loud = np.flatnonzero(np.abs(heard) > 0.01)
        cut = heard[max(loud[0] - 1600, 0) : loud[-1] + 1600]
        write_flac(folder / f"{name}.flac", np.asarray(cut, np.float32), RATE_HZ)


if __name__ == "__main__":
    {"train": train, "times": times, "accent": accent, "samples": samples}[sys.argv[1]](
        Path(sys.argv[2])
    )
