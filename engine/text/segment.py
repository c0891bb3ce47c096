"""
Split spoken tokens into chunks for the acoustic model: at sentence ends, then commas, then
anywhere.

Lengths are in characters of the spoken text (numbers written out), because those correlate with the
duration.
The words of all chunks, joined, are the words of the input.
"""

from collections.abc import Iterator, Sequence

from voxgate.engine.errors import EngineError
from voxgate.engine.text.spoken import MAX_WORD_LETTERS, Token

SENTENCE_ENDS = frozenset(".!?")
# about 13 s of speech: attention stays short, and a listener waits for one chunk only
MAX_CHUNK_CHARACTERS = 200
MIN_CHUNK_CHARACTERS = 2 * MAX_WORD_LETTERS  # the longest word and its break always fit
MIN_FIRST_CHARACTERS = 20  # a good second of speech; less is a single word, and sounds cut off

Tokens = tuple[Token, ...]


def characters(tokens: Sequence[Token]) -> int:
    """
    Return the number of characters of `tokens`, with a space after each word and none before a
    break.
    """
    return sum(len(token.text) + (not token.is_break) for token in tokens)


def _split_after(tokens: Sequence[Token], ends: frozenset[str]) -> Iterator[Tokens]:
    """Split after each token whose text is in `ends`."""
    piece: list[Token] = []
    for token in tokens:
        piece.append(token)
        if token.text in ends:
            yield tuple(piece)
            piece = []
    if piece:
        yield tuple(piece)


def _pack(pieces: Sequence[Tokens], limit: int) -> Iterator[Tokens]:
    """Join adjacent pieces while they fit."""
    full: Tokens = ()
    for piece in pieces:
        if full and characters(full) + characters(piece) > limit:
            yield full
            full = ()
        full += piece
    if full:
        yield full


def _split_sentence(sentence: Tokens, limit: int) -> Iterator[Tokens]:
    """Split a sentence that is too long: whole clauses where they fit, else word by word."""
    clauses: list[Tokens] = []
    for clause in _split_after(sentence, frozenset(",")):
        if characters(clause) <= limit:
            clauses.append(clause)
        else:
            words: list[Tokens] = [(token,) for token in clause if not token.is_break]
            words[-1] += tuple(token for token in clause if token.is_break)
            clauses += _pack(words, limit)
    yield from _pack(clauses, limit)


def segment(
    tokens: Sequence[Token],
    *,
    max_characters: int = MAX_CHUNK_CHARACTERS,
    first_characters: int = 0,
) -> tuple[Tokens, ...]:
    """
    Split `tokens` into chunks of at most `max_characters`.

    The first has at most `first_characters`, unless that is 0.
    Statements share a chunk while they fit; a question has its own, because its pitch rises at the
    end of a chunk.
    Only a first word longer than `first_characters` exceeds it: words are never split.

    Raises: EngineError if `max_characters` is below MIN_CHUNK_CHARACTERS.
    """
    if max_characters < MIN_CHUNK_CHARACTERS:
        raise EngineError(
            f"max_characters is {max_characters}; it must be at least {MIN_CHUNK_CHARACTERS}, so "
            "that any word fits"
        )
    if not first_characters or not tokens:
        return tuple(_chunks(tokens, max_characters))
    first = _chunks(tokens, min(first_characters, max_characters))[0]
    return (first, *_chunks(tokens[len(first) :], max_characters))


def _chunks(tokens: Sequence[Token], max_characters: int) -> list[Tokens]:
    chunks: list[Tokens] = []
    statements: list[Tokens] = []
    for sentence in _split_after(tokens, SENTENCE_ENDS):
        if sentence[-1].text != "?" and characters(sentence) <= max_characters:
            statements.append(sentence)
            continue
        chunks += _pack(statements, max_characters)
        statements = []
        chunks += _split_sentence(sentence, max_characters)
    chunks += _pack(statements, max_characters)
    return chunks
