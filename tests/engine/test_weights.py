"""engine.weights.voice: strict loading."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import EngineError
from engine.weights.voice import DEFAULT_VOICE, FORMAT, load_voice

LIMIT_BYTES = 12_000_000


@pytest.fixture(name="copy")
def _copy(voice_folder, tmp_path):
    return shutil.copytree(voice_folder, tmp_path / "voice")


def _metadata(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()


def test_a_voice_survives_being_written_and_read(voice_folder):
    voice = load_voice(voice_folder)

    assert voice.mel_std == 2.0
    assert all(parameter.dtype is torch.float32 for parameter in voice.dit.parameters())


def test_a_missing_file_is_named(copy):
    (copy / "vocoder.safetensors").unlink()

    with pytest.raises(EngineError, match=r"vocoder.safetensors do not exist"):
        load_voice(copy)


def test_a_truncated_file_is_named(copy):
    path = copy / "acoustic.safetensors"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(EngineError, match=r"acoustic.safetensors cannot be read"):
        load_voice(copy)


def test_a_pickle_is_not_read(copy):
    torch.save({"a": torch.zeros(1)}, copy / "acoustic.safetensors")

    with pytest.raises(EngineError, match="cannot be read"):
        load_voice(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("proj_out.bias"), r"missing tensors proj_out.bias;"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), r"unknown tensors extra;"),
        (lambda tensors: tensors.update({"proj_out.bias": torch.zeros(3)}), r"bias has shape \(3,\), expected \(80,\)"),
    ],
)
def test_a_missing_extra_or_misshapen_tensor_is_named(copy, change, words):
    path = copy / "acoustic.safetensors"
    about, tensors = _metadata(path), load_file(path)
    change(tensors)
    save_file(tensors, path, about)

    with pytest.raises(EngineError, match=words):
        load_voice(copy)


def test_a_foreign_file_is_refused(copy):
    save_file({"a": torch.zeros(1)}, copy / "vocoder.safetensors", {"format": "pt"})

    with pytest.raises(EngineError, match=f"format 'pt', this engine reads '{FORMAT}'"):
        load_voice(copy)


def test_sizes_that_make_no_model_are_refused(copy):
    path = copy / "vocoder.safetensors"
    save_file(load_file(path), path, {"format": FORMAT, "shape": '{"breadth": 3}'})

    with pytest.raises(EngineError, match="sizes in the file's metadata are not usable"):
        load_voice(copy)


def test_the_embedded_voice_loads_and_keeps_to_its_size():
    load_voice()

    assert sum(path.stat().st_size for path in DEFAULT_VOICE.glob("*.safetensors")) <= LIMIT_BYTES


def test_the_model_card_names_the_hashes_of_the_files_beside_it():
    import hashlib

    card = (DEFAULT_VOICE / "MODEL_CARD.md").read_text()

    for path in DEFAULT_VOICE.glob("*.safetensors"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card, path.name
