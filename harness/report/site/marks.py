"""
A state or a verdict as it is shown everywhere: a word, a colour, and a sign for those who see no colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.history.state import State
from harness.history.trend import Trend
from harness.records.verdict import Verdict
from harness.report.charts import kind

SIGNS = {"good": "●", "open": "◆", "bad": "✖"}
"""The shapes that the pictures use."""
STATES: Mapping[str, str] = {
    State.WORSE: "bad",
    State.OVER_BUDGET: "bad",
    State.NO_DATA: "open",
    State.BETTER: "good",
    State.TOO_FEW: "open",
    State.STEADY: "good",
}
"""What a trend may be, the most urgent first, and its kind of colour."""

ADVISORY = "(advisory)"
VERDICTS = tuple(verdict.value for verdict in Verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """`kind` is `good`, `open` or `bad`."""

    word: str
    kind: str

    @property
    def sign(self) -> str:
        """Give the shape that says the same as the colour."""
        return SIGNS[self.kind]


def of_state(state: str) -> Mark:
    """Mark a trend's state."""
    return Mark(word=state, kind=STATES[state])


def of_trend(trend: Trend) -> Mark:
    """Mark a trend: red only where it counts against the engine, as in the exit code of `history status`."""
    mark = of_state(trend.state)
    return mark if mark.kind != "bad" or trend.counts else Mark(word=f"{mark.word} {ADVISORY}", kind="open")


def of_verdict(verdict: str | None) -> Mark:
    """Mark a verdict; a run that nobody judged has none."""
    if verdict is None:
        return Mark(word="not judged", kind="open")
    return Mark(word=verdict, kind=kind(Verdict(verdict)) if verdict in VERDICTS else "open")
