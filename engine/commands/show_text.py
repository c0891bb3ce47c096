"""`say --show-text`: how a text will be read, chunk by chunk, without a model and without audio."""

from collections.abc import Iterator, Mapping

import click

from voxgate.engine.alphabet import PHONES
from voxgate.engine.config import (
    ChatterboxConfig,
    FlowConfig,
    TokenConfig,
    config_class,
    parse_typed,
)
from voxgate.engine.text.character_ids import check_text, normalise_characters
from voxgate.engine.text.frontend import Chunk, phonemise
from voxgate.engine.text.spoken import dropped_line

SPLIT_LATER = "pipeline {} reads characters and splits a long text by its recording and its limits"


def show_text(text: str, pipeline: str, words: Mapping[str, str], *, phones: bool) -> None:
    """
    Print the reading of a text: its chunks, the phones of each on request, and, on standard error,
    what is left out. Raises EngineError for a text that cannot be spoken.
    """
    config = parse_typed(config_class(pipeline), words)
    if not isinstance(config, FlowConfig | TokenConfig):
        click.echo(f"text 1   {_characters(text, config.pipeline)}")
        click.echo(f"note     {SPLIT_LATER.format(config.pipeline)}")
        return
    first = config.first_chunk_characters if isinstance(config, FlowConfig) else 0
    chunks = phonemise(text, max_characters=config.chunk_characters, first_characters=first)
    for line in _lines(chunks, phones=phones):
        click.echo(line)
    if chunks[0].dropped:
        click.echo(f"engine: {dropped_line(chunks[0].dropped)}", err=True)


def _lines(chunks: tuple[Chunk, ...], *, phones: bool) -> Iterator[str]:
    for number, chunk in enumerate(chunks, start=1):
        yield f"text {number:<3} {chunk.text}"
        if phones:
            yield f"phones   {' '.join(PHONES[phone] for phone in chunk.phones)}"


def _characters(text: str, pipeline: str) -> str:
    """Return a text as a pipeline without phones reads it."""
    checked = check_text(text)
    if pipeline == ChatterboxConfig.pipeline:
        from voxgate.engine.chatterbox.text import normalised

        return normalised(checked)
    return normalise_characters(checked)
