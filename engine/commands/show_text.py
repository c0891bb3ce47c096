"""`say --show-text`: how a text will be read, chunk by chunk, without a model and without audio."""

from collections.abc import Iterator, Mapping

import click

from voxgate.engine.config import (
    ChatterboxConfig,
    FlowConfig,
    Language,
    PipelineConfig,
    TokenConfig,
    config_class,
    parse_typed,
)
from voxgate.engine.text.character_ids import check_text, normalise_characters
from voxgate.engine.text.frontend import Chunk, phonemise
from voxgate.engine.text.spoken import QuestionKind, dropped_line

KINDS = {
    QuestionKind.YES_NO: "a question answered by yes or no",
    QuestionKind.WH: "a question with a question word",
}
SPLIT_LATER = "pipeline {} reads characters and splits a long text by its recording and its limits"


def show_text(text: str, pipeline: str, words: Mapping[str, str], *, phones: bool) -> None:
    """
    Print the reading of a text: its chunks, the phones of each on request, and, on standard error,
    what is left out. Raises EngineError for a text that cannot be spoken.
    """
    config = parse_typed(config_class(pipeline), words)
    if not isinstance(config, FlowConfig | TokenConfig):
        click.echo(f"text 1   {_characters(text, config)}")
        click.echo(f"note     {SPLIT_LATER.format(config.pipeline)}")
        return
    language = config.language if isinstance(config, FlowConfig) else Language.EN
    chunks = _chunks(text, config)
    for line in _lines(chunks, language.phones if phones else ()):
        click.echo(line)
    if chunks[0].dropped:
        click.echo(f"engine: {dropped_line(chunks[0].dropped)}", err=True)


def _chunks(text: str, config: FlowConfig | TokenConfig) -> tuple[Chunk, ...]:
    if isinstance(config, TokenConfig):
        return phonemise(text, max_characters=config.chunk_characters)
    return phonemise(
        text,
        language=config.language,
        region=config.region,
        max_characters=config.chunk_characters,
        first_characters=config.first_chunk_characters,
    )


def _lines(chunks: tuple[Chunk, ...], names: tuple[str, ...]) -> Iterator[str]:
    """Yield the text of each chunk, how a question ends, and its phones where they have names."""
    for number, chunk in enumerate(chunks, start=1):
        yield f"text {number:<3} {chunk.text}"
        if chunk.question_kind in KINDS:
            end = "rises" if chunk.question else "falls"
            yield f"ends     {KINDS[chunk.question_kind]}, the voice {end}"
        if names:
            yield f"phones   {' '.join(map(names.__getitem__, chunk.phones))}"


def _characters(text: str, config: PipelineConfig) -> str:
    """Return a text as a pipeline without phones reads it."""
    checked = check_text(text)
    if isinstance(config, ChatterboxConfig):
        from voxgate.engine.chatterbox.text import normalised

        return normalised(checked)
    return normalise_characters(checked)
