"""Whole texts that are spoken together, in one turn at the engine."""

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np


class Batch:
    """Public: `future`, the audio of all texts, or what went wrong."""

    wanted = True
    """Who leaves has left the batcher's queue before; a batch under way is spoken to its end."""

    ready = True

    def __init__(self, speak: Callable[[], list[np.ndarray]]) -> None:
        self.future: Future[list[np.ndarray]] = Future()
        self._speak = speak

    def go_on(self) -> None:
        """Speak; a batch has no second turn."""
        try:
            audios = self._speak()
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(audios)
