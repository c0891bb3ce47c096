"""
Every option of the `infill` pipeline (published F5-TTS checkpoints). No torch: a suite is checked
without loading a model.

What it shares with `flow` is checked by the same rules; only defaults differ, which are those of
the published command.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields

from engine.config.flow import OPTIONS, FlowConfig, Grid, Precision, Solver, parse_options, typed
from engine.errors import EngineError

VERSIONS = (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillConfig:
    """
    The options of the `infill` pipeline; what is not explained here is explained in `FlowConfig`.
    """

    nfe_steps: int = 32
    solver: Solver = Solver.EULER
    sway: float = -1.0
    grid: Grid = Grid.UNIFORM
    """The published command takes `epss` wherever the number of steps has such a grid."""
    cfg_strength: float = 2.0
    precision: Precision = Precision.FP32
    device: str = "cpu"
    threads: int = 0
    speed: float = 1.0
    """Against the pace of the recording. 0.5-2."""
    seed: int = 0
    reference: str = ""
    reference_text: str = ""
    weights: str = ""
    """
    Folder of a checkpoint: a model (.safetensors or .pt), its vocab.txt, and the vocoder's folder
    `vocos`.
    """
    version: int = 1
    """Of F5-TTS, which the weights do not tell: 1 for F5TTS_v1_Base, 0 for F5TTS_Base."""


INFILL_OPTIONS = tuple(field.name for field in fields(InfillConfig))
SHARED = tuple(name for name in INFILL_OPTIONS if name in OPTIONS)


def parse_infill_options(options: Mapping[str, object]) -> InfillConfig:
    """
    Make a config from plain values, strictly. Raises EngineError as `engine.config.parse_options`
    does.
    """
    for name in options:
        _check_known(name)
    defaults = InfillConfig()
    shared = parse_options({name: options.get(name, getattr(defaults, name)) for name in SHARED})
    weights, version = (
        options.get("weights", defaults.weights),
        options.get("version", defaults.version),
    )
    if not isinstance(weights, str) or "\0" in weights:
        raise EngineError(f"option weights must be the path of a folder, not {weights!r}")
    if isinstance(version, bool) or not isinstance(version, int) or version not in VERSIONS:
        raise EngineError(
            f"option version cannot be {version!r}; choose from {', '.join(map(str, VERSIONS))}"
        )
    return InfillConfig(
        **{name: getattr(shared, name) for name in SHARED}, weights=weights, version=version
    )


def parse_infill_words(words: Mapping[str, str]) -> InfillConfig:
    """Make a config from what was typed on a command line, where every value is a text."""
    return parse_infill_options(typed(words, InfillConfig()))


def as_flow(config: InfillConfig) -> FlowConfig:
    """Give what it shares with `flow`, for what asks about machines."""
    return FlowConfig(**{name: getattr(config, name) for name in SHARED})


def _check_known(name: str) -> None:
    if name in INFILL_OPTIONS:
        return
    near = difflib.get_close_matches(name, INFILL_OPTIONS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    whose = " (an option of pipeline flow)" if name in OPTIONS else ""
    raise EngineError(
        f"unknown option {name!r}{whose} of pipeline infill{hint} Known: "
        f"{', '.join(INFILL_OPTIONS)}"
    )
