"""
Accents on one Spanish sentence in three of them (tests/data/spanish, made by
tests/studies/spanish_accent.py), and what must not matter to them.
"""

import functools
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr

from voxgate.harness.audio.accent import REGIONS, SHEISMO, Sound, region_fit, share_of, slot_sounds
from voxgate.harness.audio.phone_alignment import LONGEST_S, align_phones
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.audio.spanish_numbers import numbers_as_words
from voxgate.harness.audio.spanish_phones import Slot, phones_of, slots_of, spanish_words
from voxgate.harness.audio.telephone import line
from voxgate.harness.records.measurement import Missing

FOLDER = Path(__file__).parents[2] / "data" / "spanish"
TEXT = "Ayer llovió en la plaza y las calles están vacías desde las doce."


@functools.cache
def said(region: str) -> Recording:
    return read_recording(FOLDER / f"{region}.flac")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("calle", "k a ll e"),
        ("yo", "y o"),
        ("y", "i"),
        ("rey", "rr e j"),
        ("ciudad", "th j u d a d"),
        ("zapato", "th a p a t o"),
        ("queso", "k e s o"),
        ("guitarra", "g i t a rr a"),
        ("pingüino", "p i n g w i n o"),
        ("agua", "a g w a"),
        ("viuda", "b j u d a"),
        ("cuida", "k w i d a"),
        ("días", "d i a s"),
        ("honra", "o n rr a"),
        ("hielo", "j e l o"),
        ("taxi", "t a k s i"),
        ("xilófono", "s i l o f o n o"),
        ("gente", "x e n t e"),
        ("chico", "ch i k o"),
        ("año", "a ny o"),
        ("", ""),
        ("c", "k"),
        ("q", "k"),
    ],
)
def test_spanish_is_read_by_its_spelling(word: str, phones: str):
    assert " ".join(phones_of(word)) == phones


def test_the_slots_of_a_text_are_where_accents_differ():
    words = spanish_words("¡Las CALLES de este cielo, los zapatos, mis rosas!")
    found = [(each.slot, words[each.word], each.phone) for each in slots_of(words)]

    assert found == [
        (Slot.CODA_S, "las", 2),
        (Slot.LL, "calles", 2),
        (Slot.CODA_S, "calles", 4),
        (Slot.CODA_S, "este", 1),
        (Slot.THETA, "cielo", 0),
        (Slot.THETA, "zapatos", 0),
        (Slot.CODA_S, "zapatos", 6),
    ]


@pytest.mark.parametrize("region", ["es", "mexico", "rioplatense"])
def test_each_accent_fits_its_own_region_alone(region: str):
    sounds = slot_sounds(said(region), TEXT)
    assert not isinstance(sounds, Missing)
    shares = {each: region_fit(sounds, each)[0] / len(sounds) for each in REGIONS}

    assert len(sounds) == 11
    assert shares.pop(region) == 1.0
    if region == "mexico":  # Bogotá has the same sounds
        assert shares.pop("colombia") == 1.0
    assert max(shares.values()) < 0.75


def test_sheismo_seseo_and_a_breath_are_told_by_slot():
    here, there = slot_sounds(said("es"), TEXT), slot_sounds(said("rioplatense"), TEXT)
    assert not isinstance(here, Missing) and not isinstance(there, Missing)
    for slot, wanted in (
        (Slot.LL, SHEISMO),
        (Slot.THETA, frozenset({Sound.S})),
        (Slot.CODA_S, frozenset({Sound.NO_S})),
    ):
        assert (share_of(here, slot, wanted), share_of(there, slot, wanted)) == (0.0, 1.0)
    centroids = [each.centroid_hz for each in there if each.slot is Slot.LL]
    assert all(each is not None and 4_000.0 < each < 7_000.0 for each in centroids)
    assert isinstance(share_of((), Slot.LL, SHEISMO), Missing)


@pytest.mark.parametrize(
    "change",
    [
        lambda samples: 0.05 * samples,
        lambda samples: -samples,
        lambda samples: samples + 0.1,
        lambda samples: np.concatenate([np.zeros(9_000), samples, np.zeros(20_000)]),
        lambda samples: samples + 1e-3 * np.random.default_rng(0).standard_normal(len(samples)),
    ],
    ids=["soft", "upside down", "offset", "silence around", "noise 40 dB below"],
)
def test_what_is_no_accent_does_not_count(change):
    for region in ("es", "rioplatense"):
        sounds = slot_sounds(Recording(change(said(region).samples), 16_000), TEXT)
        assert not isinstance(sounds, Missing)
        assert region_fit(sounds, region) == (11, 11)


def test_another_rate_hears_the_same():
    faster = Recording(soxr.resample(said("es").samples, 16_000, 24_000), 24_000)
    sounds = slot_sounds(faster, TEXT)
    assert not isinstance(sounds, Missing)
    assert region_fit(sounds, "es") == (11, 11)


def test_phones_are_found_in_order_and_where_the_sound_is():
    words = [phones_of(word) for word in spanish_words(TEXT)]
    times = align_phones(said("es"), words)
    assert not isinstance(times, Missing)

    assert [(each.word, each.index) for each in times] == [
        (word, index) for word, phones in enumerate(words) for index in range(len(phones))
    ]
    assert all(each.start_s < each.end_s for each in times)
    assert all(first.end_s <= second.start_s for first, second in pairwise(times))
    later = align_phones(
        Recording(np.concatenate([np.zeros(8_000), said("es").samples]), 16_000), words
    )
    assert not isinstance(later, Missing)
    for first, second in zip(times[1:], later[1:], strict=True):  # the first may hold silence
        assert second.start_s == pytest.approx(first.start_s + 0.5, abs=0.02)


def test_what_cannot_be_told_is_missing_with_its_reason():
    narrow = line(said("es"))
    found = {
        "narrow": slot_sounds(narrow, TEXT),
        "silence": slot_sounds(Recording(np.zeros(16_000), 16_000), TEXT),
        "NaN": slot_sounds(Recording(np.full(16_000, np.nan), 16_000), TEXT),
        "no word": slot_sounds(said("es"), "?! ..."),
        "short": slot_sounds(Recording(said("es").samples[:4_000], 16_000), TEXT),
        "long": slot_sounds(Recording(np.zeros(int(16_000 * LONGEST_S) + 16_000), 16_000), TEXT),
    }
    assert {name: isinstance(value, Missing) for name, value in found.items()} == dict.fromkeys(
        found, True
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("25 %", "veinticinco por ciento"),
        ("1.234.567", "un millón doscientos treinta y cuatro mil quinientos sesenta y siete"),
        ("1,407", "mil cuatrocientos siete"),
        ("3,5 y 1.05", "tres coma cinco y uno punto cero cinco"),
        ("a las 14:30", "a las catorce treinta"),
        ("$5 o 100 €", "cinco dólares o cien euros"),
        ("1.º, 3ª y 25º", "primero, tercera y veinticinco"),
        ("en 1999", "en mil novecientos noventa y nueve"),
        ("-3", "menos tres"),
        ("A4 y 5G", "A4 y cinco G"),
        ("0", "cero"),
        (
            "12345678901234",
            "uno dos tres cuatro cinco seis siete ocho nueve cero uno dos tres cuatro",
        ),
    ],
)
def test_spanish_numbers_are_words(text: str, words: str):
    assert numbers_as_words(text) == words
