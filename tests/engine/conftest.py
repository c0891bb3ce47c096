"""
A tiny voice with random weights, so that the engine's tests need neither the real weights nor
seconds.
"""

from pathlib import Path

import pytest
import torch

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import save_model

TINY_DIT = DiTShape(
    phones=len(PHONES),
    speakers=len(SPEAKERS),
    width=32,
    depth=2,
    heads=2,
    hidden=48,
    text_width=16,
    text_blocks=1,
)
TINY_DURATIONS = DurationShape(phones=len(PHONES), speakers=len(SPEAKERS), width=16, layers=1)
TINY_VOCODER = VocosShape(width=16, hidden=32, blocks=1)


def write_tiny_voice(folder: Path) -> Path:
    """Write a seeded random voice; its DiT's last layer is not zero, so that the flow moves."""
    torch.manual_seed(5)
    dit = DiT(TINY_DIT)
    torch.nn.init.normal_(dit.proj_out.weight, std=0.2)
    durations = DurationModel(TINY_DURATIONS)
    torch.nn.init.constant_(durations.out.bias, 1.6)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(folder / "acoustic.safetensors", dit, TINY_DIT, mel_mean="-1.0", mel_std="2.0")
    save_model(folder / "durations.safetensors", durations, TINY_DURATIONS)
    save_model(folder / "vocoder.safetensors", Vocos(TINY_VOCODER), TINY_VOCODER)
    return folder


@pytest.fixture(name="voice_folder", scope="session")
def _voice_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_voice(tmp_path_factory.mktemp("tiny-voice"))


@pytest.fixture(name="make_pipeline")
def _make_pipeline(voice_folder: Path):
    def make(**options: object) -> FlowPipeline:
        return FlowPipeline.load({"threads": 1, "nfe_steps": 4, **options}, voice_folder)

    return make
