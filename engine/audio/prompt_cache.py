"""
Cache of encoded prompts by content: the same bytes, transcript and speaker are encoded once.

A changed file under the same name is another prompt; the same file under another name is not.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from voxgate.engine.audio.reference_recording import read_file, transcript_of
from voxgate.engine.errors import EngineError

MAX_PROMPTS = 16
"""Prompts in the cache, the most recently used ones; each takes less than half a megabyte."""
Prompt = TypeVar("Prompt")


class PromptCache(Generic[Prompt]):
    """
    The prompts of one loaded pipeline.

    Public: `encode` (content, transcript, speaker, ...) -> prompt, the function that is cached.
    """

    def __init__(self, encode: Callable[..., Prompt]) -> None:
        self.encode = encode
        self._prompts: OrderedDict[tuple[str, ...], Prompt] = OrderedDict()

    def get(self, reference: str, text: str | None, speaker: str = "", *more: str) -> Prompt | None:
        """
        Return the encoded prompt of a recording; None without one.

        Args:
            reference: path of the recording, or "".
            text: its transcript; "" if a .txt file of its name lies beside it, None for a model
                that reads none.
            speaker: the speaker that a model is conditioned on, where it has one.
            more: whatever else decides the prompt; `encode` gets it behind the speaker.

        Raises: EngineError for a recording or a transcript that cannot be used.
        """
        if not reference:
            return None
        content = read_file(reference)
        transcript = "" if text is None else transcript_of(reference, text)
        key = (hashlib.sha256(content).hexdigest(), transcript, speaker, *more)
        if key not in self._prompts:
            try:
                self._prompts[key] = self.encode(content, transcript, speaker, *more)
            except EngineError as error:
                raise EngineError(f"{reference}: {error}") from None
            if len(self._prompts) > MAX_PROMPTS:
                self._prompts.popitem(last=False)
        self._prompts.move_to_end(key)
        return self._prompts[key]
