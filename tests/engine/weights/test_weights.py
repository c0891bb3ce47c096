"""voxgate.engine.weights.voice: strict loading."""

import json
import resource
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from voxgate.engine.errors import EngineError
from voxgate.engine.weights.voice import DEFAULT_VOICE, FORMAT, load_voice

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
        (
            lambda tensors: tensors.update({"proj_out.bias": torch.zeros(3)}),
            r"bias has shape \(3,\), expected \(80,\)",
        ),
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


def _claims(path, **sizes):
    about = _metadata(path)
    save_file(
        load_file(path),
        path,
        {**about, "shape": json.dumps({**json.loads(about["shape"]), **sizes})},
    )


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": 2**40},
        {"width": 10**300},
        {"hidden": 2**31},
        {"depth": 10**9},
        {"text_blocks": 10**9},
        {"phones": -1},
        {"heads": 0},
        {"heads": 7},
        {"width": 64.0},
        {"width": "64"},
        {"width": True},
        {"width": None},
        {"width": [64]},
        {"depth": 1},
        {"bands": 1},
    ],
    ids=str,
)
def test_sizes_that_the_tensors_do_not_bear_out_cost_no_memory_and_are_refused(copy, sizes):
    _claims(copy / "acoustic.safetensors", **sizes)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(EngineError, match=r"weights .*acoustic.safetensors: ") as raised:
        load_voice(copy)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 * 1024
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    "shape",
    ["", "[]", "5", "null", "[" * 100_000, "{", '{"width": NaN}'],
    ids=lambda text: text[:10],
)
def test_metadata_that_is_no_object_of_sizes_is_refused(copy, shape):
    path = copy / "vocoder.safetensors"
    save_file(load_file(path), path, {"format": FORMAT, "shape": shape})

    with pytest.raises(EngineError, match="sizes in the file's metadata are not usable"):
        load_voice(copy)


@pytest.mark.parametrize("name", ["mel_mean", "mel_std"])
@pytest.mark.parametrize("value", [None, "", "nan", "inf", "x", "1e999"])
def test_a_mean_or_spread_that_is_no_number_is_refused(copy, name, value):
    path = copy / "acoustic.safetensors"
    about = {
        key: word for key, word in {**_metadata(path), name: value}.items() if word is not None
    }
    save_file(load_file(path), path, about)

    with pytest.raises(EngineError, match=f"{name} in the file's metadata is"):
        load_voice(copy)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.full((80,), torch.nan), "holds NaN or infinity"),
        (torch.full((80,), torch.inf, dtype=torch.float16), "holds NaN or infinity"),
        (torch.full((80,), 1e300, dtype=torch.float64), "holds NaN or infinity"),
        (torch.zeros(80, dtype=torch.int64), "dtype torch.int64"),
        (torch.zeros(80, dtype=torch.bool), "dtype torch.bool"),
        (torch.zeros(80, dtype=torch.float8_e4m3fn), "dtype torch.float8_e4m3fn"),
        (torch.zeros(80, dtype=torch.complex64), "dtype torch.complex64|cannot be read"),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, torch.Tensor) else "",
)
def test_tensors_that_are_no_finite_fractions_are_named(copy, value, words):
    path = copy / "acoustic.safetensors"
    about, tensors = _metadata(path), load_file(path)
    save_file({**tensors, "proj_out.bias": value}, path, about)

    with pytest.raises(EngineError, match=words):
        load_voice(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F4"},
        {"dtype": "F6_E2M3"},
        {"dtype": "X"},
        {"dtype": 5},
        {"shape": [2**40]},
        {"shape": [-80]},
        {"shape": [2**63, 2**63]},
        {"shape": "80"},
        {"data_offsets": [0, 2**40]},
        {"data_offsets": [8, 0]},
    ],
    ids=str,
)
def test_a_head_that_claims_otherwise_than_the_file_is_one_clear_error(copy, change):
    path = copy / "acoustic.safetensors"
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    head["proj_out.bias"].update(change)
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])

    with pytest.raises(EngineError, match=r"weights .*acoustic.safetensors"):
        load_voice(copy)


def test_a_head_longer_than_the_file_is_refused(copy):
    path = copy / "acoustic.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])

    with pytest.raises(EngineError, match="cannot be read"):
        load_voice(copy)
