"""
Text as T3 reads it: punctuation the model was trained with, and the ids of the checkpoint's own
vocabulary.

The vocabulary is a file of the package `tokenizers`, which is read as data.
"""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.engine.chatterbox.t3 import START_TEXT, STOP_TEXT
from voxgate.engine.errors import EngineError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START, STOP, SPACE, UNKNOWN = "[START]", "[STOP]", "[SPACE]", "[UNK]"
VOCABULARY_BYTES = 2**24
REPLACED = (
    ("...", ", "),
    ("…", ", "),
    (":", ","),
    (" - ", ", "),
    (";", ", "),
    ("—", "-"),
    ("–", "-"),
    (" ,", ","),
    ("“", '"'),
    ("”", '"'),
    ("‘", "'"),
    ("’", "'"),
)
"""Punctuation that is rare in the training texts, and what stands for it, in this order."""
ENDS = ".!?-,"
MORE_ENDS = ENDS + "、，。？！"
"""Of the multilingual model."""
UNREADABLE = {
    "he": "vowel points",
    "ja": "readings of kanji",
    "ru": "stress marks",
    "zh": "Cangjie codes of words",
}
"""Languages of the multilingual model whose text needs what this engine cannot add."""


class TextVocabulary:
    """The vocabulary of a checkpoint. Public: `size`, one more than the largest id."""

    def __init__(self, path: Path) -> None:
        """
        Read a file of the package `tokenizers`.

        Raises: EngineError for a missing package, an unreadable file, and one without the start and
        stop tokens that the model was trained with.
        """
        self._tokenizer = _read(path)
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        for name, number in ((START, START_TEXT), (STOP, STOP_TEXT)):
            if vocabulary.get(name) != number:
                raise EngineError(
                    f"weights {path}: token {name} has id {vocabulary.get(name)}, and the model "
                    f"was trained with {number}; give the checkpoint's own file"
                )
        self.size = max(vocabulary.values()) + 1

    def encode(self, text: str, language: str | None = None) -> list[int]:
        """
        Return the ids of a normalised text between start and stop.

        Args:
            text: of `normalised`.
            language: of the multilingual model; None for the English one.

        Raises: EngineError for a language whose text this engine cannot prepare.
        """
        prepared = text if language is None else tagged(text, language)
        ids = self._tokenizer.encode(prepared.replace(" ", SPACE)).ids
        return [START_TEXT, *map(int, ids), STOP_TEXT]

    def unknown(self, text: str, language: str | None = None) -> str:
        """
        Return the characters of a normalised text that the vocabulary does not have, in order: the
        model reads a placeholder for them, or nothing.
        """
        plain = text if language is None else _folded(text)
        lacking = {character for character in set(plain) if self._lacks(character)}
        return "".join(character for character in plain if character in lacking)

    def _lacks(self, character: str) -> bool:
        """Whether no token stands for a character; offsets tell nothing without a placeholder."""
        return not character.isspace() and not any(
            name != UNKNOWN for name in self._tokenizer.encode(character).tokens
        )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower())


def normalised(text: str, *, multilingual: bool = False) -> str:
    """Return a text, not empty, with an initial capital, plain punctuation and an end."""
    words = " ".join((text[:1].upper() + text[1:] if text[:1].islower() else text).split())
    for found, instead in REPLACED:
        words = words.replace(found, instead)
    words = words.rstrip(" ")
    return words if words.endswith(tuple(MORE_ENDS if multilingual else ENDS)) else f"{words}."


def tagged(text: str, language: str) -> str:
    """
    Return a text in lower case and compatibility form, with its language in front.

    Raises: EngineError as `check_language` does.
    """
    check_language(language)
    return f"[{language}]{_folded(text)}"


def check_language(language: str) -> None:
    """Raise EngineError for a language whose text this engine cannot prepare."""
    if language in UNREADABLE:
        raise EngineError(
            f"language {language} needs {UNREADABLE[language]} in the text, which this engine "
            "cannot add; choose another language"
        )


def _read(path: Path) -> "Tokenizer":
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise EngineError(
            "pipeline chatterbox needs the package tokenizers; pip install 'voxgate[chatterbox]'"
        ) from None
    try:
        if path.stat().st_size > VOCABULARY_BYTES:
            raise EngineError(
                f"weights {path}: larger than {VOCABULARY_BYTES} bytes, which no vocabulary is; "
                "give the checkpoint's"
            )
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(
            f"weights {path} cannot be read ({error}); the checkpoint's vocabulary belongs there"
        ) from None
    try:
        return Tokenizer.from_str(content)
    except Exception as error:  # the package raises Exception itself
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"weights {path} hold no vocabulary of the package tokenizers ({reason}); give the "
            "checkpoint's"
        ) from None
