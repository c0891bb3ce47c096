"""The description of a server's model: voices, sample rate, effective options, limits."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from voxgate.engine.config import FlowConfig, Language, Region
from voxgate.engine.serve.limits import Limits

OWNER = "voxgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """The model of one server."""

    model: str
    created: int
    """When the weights were written, in seconds since 1970, as in OpenAI's API."""
    sample_rate_hz: int
    config: FlowConfig
    limits: Limits
    spans: bool = False
    """Whether the server makes OpenTelemetry spans, which cost time."""

    def card(self) -> dict[str, object]:
        """Return the entry of `/v1/models`; the fields after `owned_by` are ours, not OpenAI's."""
        options = {field.name: getattr(self.config, field.name) for field in fields(self.config)}
        if self.spans:
            options["spans"] = True
        return {
            "id": self.model,
            "object": "model",
            "created": self.created,
            "owned_by": OWNER,
            "sample_rate_hz": self.sample_rate_hz,
            "language": self.config.language,
            "regions": list(Region) if self.config.language is Language.ES else [],
            "voices": list(self.config.language.speakers),
            "options": options,
            "limits": asdict(self.limits),
        }


def voice_model_info(
    folder: Path, sample_rate_hz: int, config: FlowConfig, limits: Limits
) -> ModelInfo:
    """Return the description of a voice in a folder; the model is named after the folder."""
    created = int((folder / "acoustic.safetensors").stat().st_mtime)
    return ModelInfo(
        model=f"{OWNER}-{folder.resolve().name}",
        created=created,
        sample_rate_hz=sample_rate_hz,
        config=config,
        limits=limits,
    )
