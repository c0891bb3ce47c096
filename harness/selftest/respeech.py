"""
Faults that an engine is asked for: what to say in place of what was to be said.

Pure functions of requests. None where a request cannot be said otherwise.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.records.cell import Request

OTHER_WORDS = ("window", "orange", "seven", "mother")

Respeak = Callable[[Request, Sequence[Request]], Request | None]
"""(request, all requests) -> what to say instead; None where that cannot be."""


def wrong_word(request: Request, requests: Sequence[Request]) -> Request | None:
    """Say another word in place of the longest one."""
    words = re.findall(r"[A-Za-z']+", request.text)
    other = next((word for word in OTHER_WORDS if word not in request.text.lower()), None)
    if not words or other is None:
        return None
    longest = max(words, key=len)
    return replace(request, text=re.sub(rf"\b{re.escape(longest)}\b", other, request.text, count=1))


def other_speaker(request: Request, requests: Sequence[Request]) -> Request | None:
    """Say it with another speaker of the same workload; None where it has only one."""
    speakers = list(dict.fromkeys(str(each.options["speaker"]) for each in requests if "speaker" in each.options))
    own = request.options.get("speaker")
    others = [speaker for speaker in speakers if speaker != own]
    return replace(request, options={**request.options, "speaker": others[0]}) if own is not None and others else None


def as_statement(request: Request, requests: Sequence[Request]) -> Request | None:
    """Say a question as if it were a statement; None for what is no question."""
    text = request.text.rstrip()
    return replace(request, text=f"{text[:-1]}.") if text.endswith("?") else None


def at_speed(speed: float) -> Respeak:
    """Say it `speed` times as fast, by the option `speed`."""

    def respeak(request: Request, requests: Sequence[Request]) -> Request | None:
        usual = request.options.get("speed", 1.0)
        assert isinstance(usual, int | float), "the target checks the values of its options"
        return replace(request, options={**request.options, "speed": speed * usual})

    return respeak
