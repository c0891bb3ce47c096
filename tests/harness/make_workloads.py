"""
Writes the shipped workloads from the engine's held-out sentences:
`python tests/harness/make_workloads.py`.

The harness knows no engine, so its workloads are a copy; `test_workload.py` fails when the two
differ. A sentence keeps its number (u001 is line 1) and its speaker in every workload; where it is
also asked, with a question mark in place of the full stop and no other difference, the question is
q001. A text of several sentences is p001.
"""

import json
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SENTENCES = ROOT / "engine" / "training" / "heldout.txt"
SPANISH_SENTENCES = ROOT / "engine" / "training" / "heldout_es.txt"
FOLDER = ROOT / "harness" / "workloads"
SPEAKERS = ("rms", "slt")  # even numbers, odd numbers

SMOKE = (1, 2, 18, 29, 37, 40, 44, 55)
SHORT = tuple(sorted((*SMOKE, 4, 27, 32, 49, 54, 60, 67, 78, 85, 96, 103, 119, 132, 150, 161, 175)))
ONE = tuple(number for number in SHORT if number % 2)
CONVERTED = (1, 2, 4, 18, 27, 29, 37, 40, 44, 49, 54, 55)
PASSAGE = (13, 18, 2, 40, 23, 101, 90)
"""Of the workload "source-15s": what flite says in 15 s."""
ASKED = (12, 22, 25, 26, 40, 55, 56, 70, 85, 93, 101, 109, 111, 112, 135, 184)
TEXTS = (
    (range(3, 9),),
    (range(13, 18), range(19, 23)),
    (range(30, 37),),
    (range(46, 51), range(51, 55)),
)
"""Of the workload "paragraphs": a paragraph or two of sentences each."""
VOICES = '[voices]\nslt = "voices/slt.flac"\nrms = "voices/rms.flac"\n'
WITH_VOICES = ("questions", "one-voice", "reel", "conversion")
REEL = (13, 18, 37, 40, 23, 2, 85, 44, 101, 90, 111, 144, 137, 152, 189)
"""Fifteen segments in which two voices take turns: half a minute and a little more."""
SPANISH_SPEAKERS = ("lola", "hugo")
SPANISH = {
    "medium": ((152, 72, 164), (55, 98, 132)),
    "short": ((59,), (95,), (15,), (167,), (150,), (136,)),
    "long": ((1, 3, 6, 7, 9, 16), (67, 68, 138, 163, 194, 198)),
}
"""Of the workload "spanish": the sentences of each text, by its length."""
CHOICE = {
    "spanish": (
        "Spanish texts: six of one sentence, two of three, two of six; two voices. The first, "
        "which is observed, has four c or z, two ll, and five s before a consonant.",
        (),
    ),
    "smoke": ("Eight short sentences, two voices: enough to see that something broke.", SMOKE),
    "everyday-short": ("24 everyday sentences of 2 to 5 seconds, two voices.", SHORT),
    "everyday-200": ("All 200 held-out everyday sentences, two voices.", range(1, 201)),
    "one-voice": ("12 everyday sentences by one voice, for what depends on the voice.", ONE),
    "plain": (
        "Eight short sentences that name no speaker: for engines that have no such option.",
        SMOKE,
    ),
    "questions": (
        "16 sentences, each told and asked in the same words, two voices: only such pairs show a "
        "rise.",
        ASKED,
    ),
    "paragraphs": (
        "Four long texts of a paragraph or two, two voices: what streaming and batching are about.",
        (),
    ),
    "conversion": (
        "12 everyday sentences to convert: flite's slt and rms say them, the other one is to be "
        "heard.",
        CONVERTED,
    ),
    "source-15s": (
        "One recording of 15 s to convert, said by flite's slt: what the speed of a converter is "
        "measured on.",
        PASSAGE,
    ),
    "reel": ("One reel of 15 segments, in which two voices take turns.", REEL),
}


def workload_text(name: str) -> str:
    """Give the whole file of one workload."""
    about, numbers = CHOICE[name]
    tables = [table for number in numbers for table in _tables(number, name)]
    if name in WITH_VOICES:
        tables = [VOICES, *tables]
    if name == "reel":
        tables = [VOICES, '[[request]]\nid = "reel"\n', *map(_segment, numbers)]
    if name == "paragraphs":
        tables = [
            _table(f"p{number:03}", _long_text(number), number)
            for number in range(1, len(TEXTS) + 1)
        ]
    if name == "spanish":
        tables = list(_spanish_tables())
    if name == "source-15s":
        said = json.dumps(" ".join(map(_sentence, numbers)))
        tables = [f'[[request]]\nid = "passage"\ntext = {said}\nsource = "flite:slt"\n']
    source = SPANISH_SENTENCES if name == "spanish" else SENTENCES
    return (
        f"# {about}\n# Made by tests/harness/make_workloads.py from "
        f"engine/training/{source.name}.\n\n" + "\n".join(tables)
    )


def _spanish_tables() -> Iterator[str]:
    sentences = SPANISH_SENTENCES.read_text(encoding="utf-8").splitlines()
    texts = [(kind, number, text) for kind in SPANISH for number, text in enumerate(SPANISH[kind])]
    for index, (kind, number, numbers) in enumerate(texts):
        text = " ".join(sentences[each - 1] for each in numbers)
        yield (
            f'[[request]]\nid = "{kind}{number + 1}"\n'
            f"text = {json.dumps(text, ensure_ascii=False)}\n"
            f'speaker = "{SPANISH_SPEAKERS[index % 2]}"\nlanguage = "es"\n'
        )


def _tables(number: int, workload: str) -> list[str]:
    sentence = _sentence(number)
    if workload == "plain":
        return [f'[[request]]\nid = "p{number:03}"\ntext = {json.dumps(sentence)}\n']
    if workload == "conversion":
        other = SPEAKERS[(number + 1) % 2]
        return [f'{_table(f"c{number:03}", sentence, number)}source = "flite:{other}"\n']
    told = _table(f"u{number:03}", sentence, number)
    if workload != "questions":
        return [told]
    return [
        told,
        _table(f"q{number:03}", f"{sentence.removesuffix('.')}?", number, f"u{number:03}"),
    ]


def _segment(number: int) -> str:
    return (
        f'[[request.segment]]\nspeaker = "{SPEAKERS[number % 2]}"\n'
        f"text = {json.dumps(_sentence(number))}\n"
    )


def _sentence(number: int) -> str:
    return SENTENCES.read_text(encoding="utf-8").splitlines()[number - 1]


def _long_text(number: int) -> str:
    return "\n\n".join(" ".join(map(_sentence, paragraph)) for paragraph in TEXTS[number - 1])


def _table(name: str, text: str, number: int, statement: str = "") -> str:
    said = f'statement = "{statement}"\n' if statement else ""
    return (
        f'[[request]]\nid = "{name}"\ntext = {json.dumps(text)}\nspeaker = '
        f'"{SPEAKERS[number % 2]}"\n{said}'
    )


if __name__ == "__main__":
    for each in CHOICE:
        (FOLDER / f"{each}.toml").write_text(workload_text(each), encoding="utf-8")
