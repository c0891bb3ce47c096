"""
`python -m voxgate.engine text-speed`: how long the text front-end of each language takes, in
milliseconds per 100 characters.

A text is read several times in one process. The first call of a language also reads its tables, and
the first pass meets each word for the first time; both are shown by themselves.
"""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from voxgate.engine.errors import EngineError
from voxgate.engine.text.frontend import FRONT_ENDS, phonemise
from voxgate.engine.timing import monotonic_s

LIMIT_MS = 5.0
"""Per 100 characters, the promise of this front-end."""
TEXTS = {"en": "heldout.txt", "es": "heldout_es.txt"}
FOLDER = Path(__file__).parents[1] / "training"
HEAD: tuple[str, ...] = (
    "language",
    "texts",
    "characters",
    "cold ms",
    "first pass",
    "p50",
    "p95",
    "max",
    "passes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpeed:
    """
    The front-end's speed on some texts, in ms per 100 characters, but `cold_ms`: the first call.

    first: of the first pass, all texts together.
    each: of each text in each later pass.
    passes: of each later pass, all texts together.
    """

    characters: int
    cold_ms: float
    first: float
    each: tuple[float, ...]
    passes: tuple[float, ...]

    @property
    def p50(self) -> float:
        """Median over texts and passes."""
        return _percentile(self.each, 50)


def measure(
    texts: Sequence[str], language: str, passes: int, clock: Callable[[], float] = monotonic_s
) -> TextSpeed:
    """Read the texts one by one, in a first pass and so many later ones."""

    def seconds(text: str) -> float:
        start_s = clock()
        phonemise(text, language=language)
        return clock() - start_s

    cold_s = seconds(texts[0])
    characters = sum(map(len, texts))
    rates: list[float] = []
    each: list[float] = []
    for _ in range(passes + 1):
        spent_s = [seconds(text) for text in texts]
        rates.append(1e5 * math.fsum(spent_s) / characters)
        each += [1e5 * taken_s / len(text) for taken_s, text in zip(spent_s, texts, strict=True)]
    return TextSpeed(
        characters=characters,
        cold_ms=1e3 * cold_s,
        first=rates[0],
        each=tuple(each[len(texts) :]),
        passes=tuple(rates[1:]),
    )


@click.command("text-speed")
@click.option(
    "--language",
    "languages",
    type=click.Choice(tuple(FRONT_ENDS)),
    multiple=True,
    help="default: all; may be given more than once",
)
@click.option(
    "--texts",
    "path",
    type=click.Path(path_type=Path),
    default=None,
    help="a text on each line; default: the held-out sentences of each language",
)
@click.option(
    "--passes",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="after a first one",
)
def text_speed(languages: tuple[str, ...], path: Path | None, passes: int) -> None:
    """Print how long the text front-end takes, in ms per 100 characters."""
    rows = [HEAD]
    kept = True
    try:
        for language in languages or tuple(FRONT_ENDS):
            texts = _texts(path or FOLDER / TEXTS[language])
            found = measure(texts, language, passes)
            rows.append(_row(language, len(texts), found))
            kept &= max(found.p50, found.first) <= LIMIT_MS
    except EngineError as error:
        click.echo(f"engine: {error}", err=True)
        sys.exit(2)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo(
            "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )
    word = "kept" if kept else "missed"
    click.echo(f"ms per 100 characters; {word}: {LIMIT_MS:g} ms, median and first pass")


def _row(language: str, count: int, found: TextSpeed) -> tuple[str, ...]:
    rates = (found.first, found.p50, _percentile(found.each, 95), max(found.each))
    return (
        language,
        str(count),
        str(found.characters),
        f"{found.cold_ms:.1f}",
        *(f"{rate:.3f}" for rate in rates),
        f"{len(found.passes)} [{min(found.passes):.3f} {max(found.passes):.3f}]",
    )


def _texts(path: Path) -> list[str]:
    """Return the lines of a file. Raises EngineError for one that cannot be read or has none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"texts {path} cannot be read ({error})") from None
    texts = [line for line in lines if line.strip()]
    if not texts:
        raise EngineError(f"texts {path} hold no text; write one on each line")
    return texts


def _percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest percentile of at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100.0))]
