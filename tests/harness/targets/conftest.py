"""The engine's tiny voice, for the targets' tests."""

from pathlib import Path

import pytest

from tests.engine.conftest import write_tiny_voice
from voxgate.engine.config import Language


@pytest.fixture(name="voice_folder", scope="session")
def _voice_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_voice(tmp_path_factory.mktemp("tiny-voice"))


@pytest.fixture(name="spanish_folder", scope="session")
def _spanish_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_voice(tmp_path_factory.mktemp("tiny-spanish-voice"), Language.ES)
