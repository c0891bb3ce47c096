"""
A tiny voice with random weights, so that the engine's tests need neither the real weights nor
seconds.
"""

from pathlib import Path

import pytest
import torch

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.config import Language
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import save_model


def _dit(language: Language) -> DiTShape:
    return DiTShape(
        phones=len(language.phones),
        speakers=language.conditions,
        width=32,
        depth=2,
        heads=2,
        hidden=48,
        text_width=16,
        text_blocks=1,
    )


def _durations(language: Language) -> DurationShape:
    return DurationShape(
        phones=len(language.phones), speakers=language.conditions, width=16, layers=1
    )


TINY_DIT, TINY_DURATIONS = _dit(Language.EN), _durations(Language.EN)
TINY_VOCODER = VocosShape(width=16, hidden=32, blocks=1)


def write_tiny_voice(folder: Path, language: Language = Language.EN) -> Path:
    """Write a seeded random voice; its DiT's last layer is not zero, so that the flow moves."""
    torch.manual_seed(5)
    shape, durations_shape = _dit(language), _durations(language)
    dit = DiT(shape)
    torch.nn.init.normal_(dit.proj_out.weight, std=0.2)
    durations = DurationModel(durations_shape)
    torch.nn.init.constant_(durations.out.bias, 1.6)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(folder / "acoustic.safetensors", dit, shape, mel_mean="-1.0", mel_std="2.0")
    save_model(folder / "durations.safetensors", durations, durations_shape)
    save_model(folder / "vocoder.safetensors", Vocos(TINY_VOCODER), TINY_VOCODER)
    return folder


@pytest.fixture(name="voice_folder", scope="session")
def _voice_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_voice(tmp_path_factory.mktemp("tiny-voice"))


@pytest.fixture(name="spanish_folder", scope="session")
def _spanish_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_voice(tmp_path_factory.mktemp("tiny-spanish-voice"), Language.ES)


@pytest.fixture(name="make_pipeline")
def _make_pipeline(voice_folder: Path):
    def make(**options: object) -> FlowPipeline:
        return FlowPipeline.load({"threads": 1, "nfe_steps": 4, **options}, voice_folder)

    return make
