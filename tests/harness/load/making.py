"""Answers and loads that are made up."""

from collections.abc import Sequence
from typing import Any

from voxgate.harness.load.records import LoadPhase, LoadRecord, ResponseRecord, Span


def answer(planned_s: float = 0.0, latency_s: float = 1.0, **changes: Any) -> ResponseRecord:
    """One answer that came whole, unless told otherwise."""
    asked: dict[str, Any] = {
        "phase": LoadPhase.LOADED,
        "level": "closed-1",
        "request": "r1",
        "length": "short",
        "planned_s": planned_s,
        "sent_s": planned_s,
        "first_audio_s": planned_s + latency_s / 2,
        "done_s": planned_s + latency_s,
        "audio_s": 2.0,
    }
    return ResponseRecord(**{**asked, **changes})


def loaded(answers: Sequence[ResponseRecord], ended_s: float, **changes: Any) -> LoadRecord:
    """One level of a cell, from 0 on."""
    levels = list(
        dict.fromkeys(answer.level for answer in answers if answer.phase is LoadPhase.LOADED)
    )
    asked: dict[str, Any] = {
        "slug": "cell",
        "server": {"url": "http://127.0.0.1:1", "ready_s": 2.5},
        "answers": tuple(answers),
        "spans": tuple(Span(level=level, began_s=0.0, ended_s=ended_s) for level in levels),
        "memory": (),
        "failure": "",
    }
    return LoadRecord(**{**asked, **changes})
