"""
The options of post-processing: silence removal, crossfade, noise reduction, de-essing. A mixin, for
any pipeline that post-processes chunks. All are off, or as they always were. No torch.
"""

from dataclasses import dataclass

from voxgate.engine.config.option_spec import PipelineConfig, option
from voxgate.engine.python310 import StrEnum

LONGEST_CROSSFADE_MS = 120.0
"""A chunk begins and ends with 128 ms of silence, in which the crossfade lies."""


class SilenceRemoval(StrEnum):
    """Threshold under which a pause counts as silence and is shortened."""

    OFF = "off"
    FIXED = "fixed"
    """-42 dBFS."""
    ADAPTIVE = "adaptive"
    """A third of the way from the quietest tenth of the chunk to its speech level, in dB."""


class Denoise(StrEnum):
    """Noise reduction."""

    OFF = "off"
    LIGHT = "light"
    """At most 12 dB less in each frequency, by spectral subtraction."""


class Deess(StrEnum):
    """De-esser."""

    OFF = "off"
    ON = "on"


@dataclass(frozen=True, kw_only=True)  # two classes with slots have no common subclass
class PostprocessConfig(PipelineConfig):
    """The options of post-processing, chunk by chunk."""

    denoise: Denoise = option(
        Denoise.OFF, help="reduction of steady noise in every chunk; light: by at most 12 dB"
    )
    deess: Deess = option(Deess.OFF, help="lower hissing s and z above 5 kHz, by at most 6 dB")
    silence_removal: SilenceRemoval = option(
        SilenceRemoval.OFF,
        help="shorten each silence of a chunk to 100 ms, or crossfade_ms if longer; fixed: below "
        "-42 dBFS, adaptive: by the levels of the chunk",
    )
    crossfade_ms: float = option(
        50.0,
        range=(0.0, LONGEST_CROSSFADE_MS),
        help="by which neighbouring chunks overlap, faded linearly; 0: they abut",
    )
