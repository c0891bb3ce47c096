"""
The options of the `infill` pipeline (published F5-TTS checkpoints): those of any flow-matching
pipeline with the defaults of the published command, and two of its own. No torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from voxgate.engine.config.flow import FlowMatchingConfig
from voxgate.engine.config.option_spec import (
    option,
    options_of,
    parse,
    parse_typed,
    redeclared,
    register_config,
)

VERSIONS = (0, 1)


@register_config
@dataclass(frozen=True, slots=True, kw_only=True)
class InfillConfig(FlowMatchingConfig):
    """
    The options of the `infill` pipeline. The published command uses grid `epss` wherever the number
    of steps has such a grid.
    """

    pipeline: ClassVar[str] = "infill"

    nfe_steps: int = redeclared(FlowMatchingConfig, "nfe_steps", 32)
    cfg_strength: float = redeclared(FlowMatchingConfig, "cfg_strength", 2.0)
    speed: float = redeclared(
        FlowMatchingConfig, "speed", 1.0, help="against the pace of the recording"
    )
    weights: str = option(
        "",
        text="the path of a folder",
        help="folder of a checkpoint: a model (.safetensors or .pt), its vocab.txt, and the "
        "vocoder's folder vocos",
    )
    version: int = option(
        1,
        choices=VERSIONS,
        help="of F5-TTS, which the weights do not record: 1 for F5TTS_v1_Base, 0 for F5TTS_Base",
    )


INFILL_OPTIONS = tuple(options_of(InfillConfig))


def parse_infill_options(options: Mapping[str, object]) -> InfillConfig:
    """Make an `infill` configuration from plain values: `voxgate.engine.config.parse`."""
    return parse(InfillConfig, options)


def parse_infill_words(words: Mapping[str, str]) -> InfillConfig:
    """Make an `infill` configuration from the words of a command line."""
    return parse_typed(InfillConfig, words)
