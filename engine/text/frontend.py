"""
From text to phone ids, chunk by chunk. The only module of `text` that others import.

normalise -> segment -> pronounce -> ids.
Pauses stand where the training voices make them: at both ends of a chunk and at every break inside
it.
It uses the phone alphabet and no audio.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from voxgate.engine.alphabet import PHONE_IDS, SILENCE, SPANISH_PHONE_IDS
from voxgate.engine.errors import EngineError
from voxgate.engine.text.checks import MAX_CHARACTERS as MAX_CHARACTERS
from voxgate.engine.text.checks import check_text, unspeakable
from voxgate.engine.text.english import normalise as english
from voxgate.engine.text.english.pronounce import pronounce as pronounce_english
from voxgate.engine.text.questions import mark_english
from voxgate.engine.text.segment import MAX_CHUNK_CHARACTERS, segment
from voxgate.engine.text.spanish import normalise as spanish
from voxgate.engine.text.spanish.pronounce import pronounce as pronounce_spanish
from voxgate.engine.text.spanish.regions import check_region
from voxgate.engine.text.spoken import NormalisedText, QuestionKind, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """
    The text that is synthesised in one piece.

    phones: ids of the language's phones in voxgate.engine.alphabet, with a pause at start, end and
    breaks.
    question: whether the pitch rises at the end. The English voice was trained to rise in every
    question, the Spanish one in those that are answered by yes or no.
    question_kind: of the sentence that ends the chunk.
    text: as spoken, with numbers written out.
    words: of `text`, in order.
    dropped: characters of the *whole* text that cannot be spoken.
    """

    phones: tuple[int, ...]
    question: bool
    text: str
    words: tuple[str, ...]
    dropped: str
    question_kind: QuestionKind = QuestionKind.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """
    The text front-end of a language.

    normalise: from a text and a region to spoken tokens.
    pronounce: from the words of a phrase and a region to the phones of each.
    ids: numbers of the phones.
    rising: the kinds of question at whose end the voice rises.
    speakable: a noun phrase for errors.
    """

    normalise: Callable[[str, str], NormalisedText]
    pronounce: Callable[[Sequence[str], str], tuple[tuple[str, ...], ...]]
    ids: Mapping[str, int]
    rising: frozenset[QuestionKind]
    speakable: str


def _normalise_english(text: str, _region: str) -> NormalisedText:
    spoken = english.normalise(text)
    return NormalisedText(tokens=mark_english(spoken.tokens), dropped=spoken.dropped)


FRONT_ENDS = {
    "en": FrontEnd(
        normalise=_normalise_english,
        pronounce=lambda words, _region: pronounce_english(words),
        ids=PHONE_IDS,
        rising=frozenset({QuestionKind.YES_NO, QuestionKind.WH}),
        speakable="English words, letters or digits",
    ),
    "es": FrontEnd(
        normalise=spanish.normalise,
        pronounce=pronounce_spanish,
        ids=SPANISH_PHONE_IDS,
        rising=frozenset({QuestionKind.YES_NO}),
        speakable="Spanish words, letters or digits",
    ),
}


def front_end(language: str) -> FrontEnd:
    """
    Return the front-end of a language.

    Raises: EngineError naming the languages.
    """
    if language not in FRONT_ENDS:
        raise EngineError(f"language {language!a} is unknown; it is one of {', '.join(FRONT_ENDS)}")
    return FRONT_ENDS[language]


def phonemise(
    text: str,
    *,
    language: str = "en",
    region: str = "es",
    max_characters: int = MAX_CHUNK_CHARACTERS,
    first_characters: int = 0,
) -> tuple[Chunk, ...]:
    """
    Return the chunks of `text`, at least one.

    region: of Spanish; English has none.

    The first is limited to `first_characters`, unless that is 0.

    Raises: TextError for empty text, text over MAX_CHARACTERS, text with tags or with nothing
    speakable; EngineError for too small `max_characters`, an unknown language or region.
    """
    speech = front_end(language)
    check_region(region)
    check_text(text)
    spoken = speech.normalise(text, region)
    if not spoken.tokens:
        raise unspeakable(text, speech.speakable)
    segments = segment(
        spoken.tokens, max_characters=max_characters, first_characters=first_characters
    )
    return tuple(_chunk(tokens, spoken.dropped, speech, region) for tokens in segments)


def _chunk(tokens: Sequence[Token], dropped: str, speech: FrontEnd, region: str) -> Chunk:
    ids = [speech.ids[SILENCE]]
    for is_break, group in groupby(tokens, key=lambda token: token.is_break):
        if is_break:
            continue
        for phones in speech.pronounce([token.text for token in group], region):
            ids += [speech.ids[name] for name in phones]
        ids.append(speech.ids[SILENCE])
    kind = tokens[-1].question
    return Chunk(
        phones=tuple(ids),
        question=kind in speech.rising,
        question_kind=kind,
        text="".join(
            token.text if token.is_break else f" {token.text}" for token in tokens
        ).strip(),
        words=tuple(token.text for token in tokens if not token.is_break),
        dropped=dropped,
    )
