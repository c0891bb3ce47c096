"""
Option checks of language, region and speaker: the phones that the models were given, against those
of the front-end for each accent; the pace; the embedded speaker; and the sound of the phones by
which accents differ.

`option_checks` lists them.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from voxgate.engine.config import Language, Region
from voxgate.engine.duration.alignment import EDGE_SILENCE_FRAMES, MAX_PHONE_FRAMES
from voxgate.engine.errors import EngineError
from voxgate.engine.text.frontend import phonemise
from voxgate.harness.audio.accent import REGIONS, SlotSound, region_fit, slot_sounds
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing
from voxgate.harness.targets.engine.flow_observer import SynthesisObservation
from voxgate.harness.targets.engine.observer_registry import Observation
from voxgate.harness.targets.protocol import Options

PACE_TOLERANCE = 0.1
"""Rounding to whole frames, at least one per phone, moves the length by a few per cent."""
LEAST_TELLING, MOSTLY = 4, 0.75
"""
Sounds that two regions say differently, from which the audio can contradict an accent, and the
share of them that has to be another region's. A single sound is misheard more often.
"""

Phones = tuple[tuple[int, ...], ...]
Accent = tuple[Language, Region]
ACCENTS: tuple[Accent, ...] = (
    (Language.EN, Region.ES),
    *((Language.ES, region) for region in Region),
)


def accent_of(options: Options) -> Accent:
    """Return the language and the region that options ask for."""
    language, region = (options.get(name, kind) for name, kind in DEFAULTS)
    return Language(str(language)), Region(str(region))


DEFAULTS = (("language", Language.EN), ("region", Region.ES))


def expected_phones(options: Options, text: str, accent: Accent) -> Phones:
    """Return the phones of every chunk of a text in an accent."""
    chunks = phonemise(
        text,
        language=accent[0],
        region=accent[1],
        max_characters=int(options["chunk_characters"]),
        first_characters=int(options.get("first_chunk_characters", 0)),
    )
    return tuple(chunk.phones for chunk in chunks)


def readings(options: Options, text: str) -> Iterator[tuple[Accent, Phones]]:
    """
    Yield the phones of a text in every accent that can say it, the one that is asked for first.
    """
    asked = accent_of(options)
    for accent in (asked, *(each for each in ACCENTS if each != asked)):
        with suppress(EngineError):
            yield accent, expected_phones(options, text, accent)


def language(options: Options, seen: SynthesisObservation) -> Observation:
    """Check the phones, and the table of phones that the acoustic model has."""
    asked = accent_of(options)[0]
    given = next((a[0] for a, p in readings(options, seen.text) if p == seen.phone_ids), None)
    known = seen.known_phones
    return Observation(
        observed=f"{given or 'other'} phones, and a voice of {known}",
        in_effect=given is asked and known == len(asked.phones),
        reason=f"what the duration model was asked for; {asked} has {len(asked.phones)} phones",
    )


def region(options: Options, seen: SynthesisObservation) -> Observation:
    """
    Check the phones, the pace and the pitch range of an accent, and that its audio does not sound
    like another one.
    """
    asked, accent = accent_of(options)
    if asked is not Language.ES:
        return Observation(
            observed="none", in_effect=accent is Region.ES, reason="regions are of Spanish"
        )
    fitting = [each for each in Region if _fits(options, seen, each)]
    heard, sounds_right = _heard(accent, seen)
    in_effect: bool | None = accent in fitting and sounds_right
    if in_effect and accent is not Region.ES and Region.ES in fitting:
        in_effect = None  # a region that nobody reads would have given the same
    return Observation(
        observed=f"phones, pace and pitch range of {' or '.join(fitting) or 'no region'}{heard}",
        in_effect=in_effect,
        reason="what the models were given, the frames of every chunk, and the sound of ll, y, c, "
        "z and s",
    )


def _heard(accent: Region, seen: SynthesisObservation) -> tuple[str, bool]:
    """Return what the audio sounds like, and whether that is not clearly another region."""
    output = seen.output
    audio = output.delivered if output.unmarked is None else output.unmarked
    sounds = slot_sounds(Recording(audio, output.rate_hz), seen.text)
    if isinstance(sounds, Missing) or not sounds:
        return "", True
    fitting, count = region_fit(sounds, accent)
    other = next((each for each in Region if _sounds_like(sounds, each, accent)), None)
    return (
        f"; {fitting} of {count} sounds by which accents differ are its own"
        + (f", most others are those of {other}" if other else ""),
        other is None,
    )


def _sounds_like(sounds: Sequence[SlotSound], other: Region, accent: Region) -> bool:
    """Return whether the sounds that tell two regions apart are mostly the other's."""
    theirs, own = REGIONS[other], REGIONS[accent]
    telling = [each for each in sounds if not theirs[each.slot] & own[each.slot]]
    share = MOSTLY * len(telling)
    return len(telling) >= LEAST_TELLING and region_fit(telling, other)[0] >= share


def _fits(options: Options, seen: SynthesisObservation, accent: Region) -> bool:
    """Return whether phones, pace and pitch range are those of a region."""
    speakers = len(Language.ES.speakers)
    return (
        expected_phones(options, seen.text, (Language.ES, accent)) == seen.phone_ids
        and {index // speakers for index in seen.speakers} == {int(accent.wide_pitch)}
        and [_frames(planned, float(options["speed"]) * accent.pace) for planned in seen.durations]
        == list(seen.chunks)
    )


def _frames(planned: tuple[float, ...], pace: float) -> int:
    """Return the mel frames of a chunk, from those of its phones at speed 1."""
    inner = [min(max(round(each / pace), 1), MAX_PHONE_FRAMES) for each in planned[1:-1]]
    return sum(inner) + 2 * EDGE_SILENCE_FRAMES


def speaker(options: Options, seen: SynthesisObservation) -> Observation:
    """Check the embedded speaker, in either pitch range."""
    names = accent_of(options)[0].speakers
    told = " and ".join(sorted({names[index % len(names)] for index in seen.speakers}))
    return Observation(
        observed=told,
        in_effect=told == options["speaker"],
        reason="what the text embedding was told",
    )


def speed(options: Options, seen: SynthesisObservation) -> Observation:
    """Check the pace of the speech; whether it is the region's, too, is for the region's check."""
    ratio = sum(seen.planned) / max(1, sum(seen.chunks))
    requested, own = float(options["speed"]), accent_of(options)[1].pace
    return Observation(
        observed=f"{ratio:.2f} times the planned pace",
        in_effect=any(abs(ratio / requested / pace - 1) <= PACE_TOLERANCE for pace in (own, 1.0)),
        reason="frames made",
    )


def chunk_characters(options: Options, seen: SynthesisObservation) -> Observation:
    """Check the phones of every chunk, in whatever accent."""
    return Observation(
        observed=f"{len(seen.phone_ids)} chunks, the longest of "
        f"{max(map(len, seen.phone_ids), default=0)} phones",
        in_effect=any(seen.phone_ids == phones for _, phones in readings(options, seen.text)),
        reason="the phones of every chunk, as the duration model was asked for them",
    )


def first_chunk_characters(options: Options, seen: SynthesisObservation) -> Observation:
    """Check the phones of the first chunk, in whatever accent."""
    first = seen.phone_ids[:1]
    return Observation(
        observed=f"the first chunk has {len(first[0]) if first else 0} phones",
        in_effect=any(first == phones[:1] for _, phones in readings(options, seen.text)),
        reason="what the duration model was asked for first",
    )
