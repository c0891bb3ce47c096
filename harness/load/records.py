"""The record of one request, and how it is written down. Instants are seconds since the load of its cell began."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Why a request was sent. Only `loaded` ones are summarised."""

    COLD = "cold"
    """The first of all, alone."""
    WARMUP = "warmup"
    """Alone, after that."""
    LOADED = "loaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    What came of one request.

    `planned_s` is when it should have been sent: the instant of its arrival, or where a client waits for its answers, the
    instant at which it was free to ask again. Latency counts from there, since that is when its user began to wait.
    """

    phase: Phase
    level: str
    """Label of the level; empty while warming up."""
    request: str
    length: str
    planned_s: float
    sent_s: float
    first_audio_s: float | None
    done_s: float
    audio_s: float
    failure: str = ""
    """The kind of failure, in a word or two; empty where the whole audio came."""
    reason: str = ""
    underruns: int | None = None
    """How often a player that began with the first piece had nothing left; None where nothing came, or nobody noted it."""

    @property
    def latency_s(self) -> float:
        """Seconds from the planned instant to the last audio."""
        return self.done_s - self.planned_s

    @property
    def wait_s(self) -> float | None:
        """Seconds from the planned instant to the first audio."""
        return None if self.first_audio_s is None else self.first_audio_s - self.planned_s


def answer_to_json(answer: Answer) -> dict[str, object]:
    """Give the record as plain JSON values."""
    return {**asdict(answer), "phase": answer.phase.value}


def answer_from_json(data: Mapping[str, Any]) -> Answer:
    """Read what `answer_to_json` gave."""
    return Answer(**{**data, "phase": Phase(data["phase"])})
