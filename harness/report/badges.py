"""
Verdicts as a reader meets them: a word, its kind (good, open or bad) with a sign for those who see
no colour, and what the verdict of a run means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from voxgate.harness.records.verdict import Verdict

SIGNS: Mapping[str, str] = MappingProxyType({"good": "●", "open": "◆", "bad": "✖"})
"""The shapes that the charts use."""
VERDICTS = tuple(verdict.value for verdict in Verdict)
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        Verdict.PASS.value: "Nothing got slower or worse.",
        Verdict.IMPROVED.value: "Something got better, and nothing got slower or worse.",
        Verdict.REGRESSED.value: "Something got slower or worse.",
        Verdict.FAILED.value: "Something could not be measured as asked.",
        Verdict.UNRESOLVED.value: "Nothing is proven worse, but something could not be decided.",
        Verdict.NO_BASELINE.value: "Nothing is proven worse; some figures have no baseline.",
        Verdict.INCOMPARABLE.value: "Nothing is proven worse, but something cannot be compared "
        "with the baseline.",
    }
)
NOT_JUDGED = "This run was not judged."


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """`kind` is `good`, `open` or `bad`."""

    word: str
    kind: str

    @property
    def sign(self) -> str:
        """The shape that carries the same meaning as the colour."""
        return SIGNS[self.kind]


def kind(verdict: Verdict) -> str:
    """Sort verdicts into `good`, `open` and `bad`, as colours and shapes show them."""
    if verdict in (Verdict.PASS, Verdict.IMPROVED):
        return "good"
    return "bad" if verdict in (Verdict.REGRESSED, Verdict.FAILED) else "open"


def of_verdict(verdict: str | None) -> Badge:
    """Mark a verdict; a run that nobody judged has none."""
    if verdict is None:
        return Badge(word="not judged", kind="open")
    return Badge(word=verdict, kind=kind(Verdict(verdict)) if verdict in VERDICTS else "open")


def meaning(verdict: str | None) -> str:
    """Return the meaning of a run's verdict in one sentence."""
    return MEANINGS.get(verdict or "", NOT_JUDGED)
