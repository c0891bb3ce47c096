"""
Remembers what was made of a recording, by its content: the same bytes, text and speaker are not
worked out twice.

A changed file of the same name is another recording, and the same file under another name is not.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from engine.audio.reference_recording import read_file, text_of
from engine.errors import EngineError

KEPT = 16
"""Recordings that are remembered, those last used; each takes less than half a megabyte."""
Prompt = TypeVar("Prompt")


class Prompts(Generic[Prompt]):
    """
    The recordings of one loaded pipeline. Public: `encode` (content, text, speaker) -> prompt, what
    is called.
    """

    def __init__(self, encode: Callable[[bytes, str, str], Prompt]) -> None:
        self.encode = encode
        self._known: OrderedDict[tuple[str, str, str], Prompt] = OrderedDict()

    def of(self, reference: str, text: str, speaker: str = "") -> Prompt | None:
        """
        Give what the engine is to be told of a recording; None without one.

        Args:
            reference: path, or "".
            text: what it says; "" where a text file of its name lies beside it.
            speaker: whom the recording is taken for, where that matters.

        Raises: EngineError for a recording or a text that cannot be used.
        """
        if not reference:
            return None
        content, words = read_file(reference), text_of(reference, text)
        key = (hashlib.sha256(content).hexdigest(), words, speaker)
        if key not in self._known:
            try:
                self._known[key] = self.encode(content, words, speaker)
            except EngineError as error:
                raise EngineError(f"{reference}: {error}") from None
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]
