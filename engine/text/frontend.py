"""
From text to phone ids, chunk by chunk. The only module of `text` that others import.

normalise -> segment -> pronounce -> ids.
Pauses stand where the training voices make them: at both ends of a chunk and at every break inside
it.
It uses the phone alphabet and no audio.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from voxgate.engine.alphabet import PHONE_IDS, SILENCE
from voxgate.engine.errors import EngineError
from voxgate.engine.text.english.normalise import normalise
from voxgate.engine.text.english.pronounce import pronounce
from voxgate.engine.text.segment import MAX_CHUNK_CHARACTERS, segment
from voxgate.engine.text.spoken import Token

# about five minutes of speech; longer texts are a document, to be split by the caller
MAX_CHARACTERS = 5_000
SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """
    The text that is synthesised in one piece.

    phones: ids of voxgate.engine.alphabet.PHONES, with a pause at start, end and breaks.
    question: whether the pitch rises at the end.
    text: as spoken, with numbers written out.
    words: of `text`, in order.
    dropped: characters of the *whole* text that cannot be spoken.
    """

    phones: tuple[int, ...]
    question: bool
    text: str
    words: tuple[str, ...]
    dropped: str


def phonemise(
    text: str, *, max_characters: int = MAX_CHUNK_CHARACTERS, first_characters: int = 0
) -> tuple[Chunk, ...]:
    """
    Return the chunks of `text`, at least one.

    The first is limited to `first_characters`, unless that is 0.

    Raises: EngineError for empty text, text over MAX_CHARACTERS, text with nothing speakable, or
    too small `max_characters`.
    """
    if not text.strip():
        raise EngineError("the text is empty; give at least one word")
    if len(text) > MAX_CHARACTERS:
        raise EngineError(
            f"the text has {len(text)} characters, the limit is {MAX_CHARACTERS}; split it and "
            "speak the parts"
        )
    spoken = normalise(text)
    if not spoken.tokens:
        excerpt = text.strip()[:SHOWN_CHARACTERS]
        raise EngineError(
            f"nothing in {excerpt!a} can be spoken; give English words, letters or digits"
        )
    segments = segment(
        spoken.tokens, max_characters=max_characters, first_characters=first_characters
    )
    return tuple(_chunk(tokens, spoken.dropped) for tokens in segments)


def _chunk(tokens: Sequence[Token], dropped: str) -> Chunk:
    ids = [PHONE_IDS[SILENCE]]
    for is_break, group in groupby(tokens, key=lambda token: token.is_break):
        if is_break:
            continue
        for phones in pronounce([token.text for token in group]):
            ids += [PHONE_IDS[name] for name in phones]
        ids.append(PHONE_IDS[SILENCE])
    return Chunk(
        phones=tuple(ids),
        question=tokens[-1].text == "?",
        text="".join(
            token.text if token.is_break else f" {token.text}" for token in tokens
        ).strip(),
        words=tuple(token.text for token in tokens if not token.is_break),
        dropped=dropped,
    )
