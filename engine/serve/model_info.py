"""
What a server tells of itself: its model, voices, rate, the options that it really runs with, and
its limits.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from engine.alphabet import SPEAKERS
from engine.config import FlowConfig
from engine.serve.limits import Limits

OWNER = "voxgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """One model behind one server."""

    model: str
    created: int
    """When the weights were written, in seconds since 1970, as OpenAI's API has it."""
    sample_rate_hz: int
    config: FlowConfig
    limits: Limits

    def card(self) -> dict[str, object]:
        """
        Give the entry of `/v1/models`; whatever stands behind `owned_by` is ours and not OpenAI's.
        """
        options = {field.name: getattr(self.config, field.name) for field in fields(self.config)}
        return {
            "id": self.model,
            "object": "model",
            "created": self.created,
            "owned_by": OWNER,
            "sample_rate_hz": self.sample_rate_hz,
            "voices": list(SPEAKERS),
            "options": options,
            "limits": asdict(self.limits),
        }


def about_voice(folder: Path, sample_rate_hz: int, config: FlowConfig, limits: Limits) -> About:
    """Describe the server of a voice in a folder; the model is named after it."""
    created = int((folder / "acoustic.safetensors").stat().st_mtime)
    return About(
        model=f"{OWNER}-{folder.resolve().name}",
        created=created,
        sample_rate_hz=sample_rate_hz,
        config=config,
        limits=limits,
    )
