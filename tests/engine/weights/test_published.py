"""
voxgate.engine.weights.f5_checkpoint, voxgate.engine.acoustic.f5_dit,
voxgate.engine.acoustic.infill: published layouts load strictly and fill gaps.

That they also say what the published code says is shown by
`python -m tests.studies.published_parity FOLDER`.
"""

import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from voxgate.engine.acoustic.f5_dit import F5DiT, F5Shape
from voxgate.engine.acoustic.infill import InfillInput, infill_mel, infill_velocity
from voxgate.engine.acoustic.solver import time_grid
from voxgate.engine.config import Solver
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.f5_checkpoint import load_f5, load_vocos

SHAPE = F5Shape(
    characters=9,
    bands=20,
    width=128,
    depth=2,
    hidden=256,
    text_width=32,
    text_blocks=2,
    text_hidden=64,
)
VOCOS = VocosShape(bands=20, width=32, hidden=48, blocks=2, n_fft=64, hop=16)


def _random(model):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))
    return model.eval()


def _published(model):
    tensors = {f"ema_model.transformer.{name}": value for name, value in model.state_dict().items()}
    extra = {
        "initted": torch.tensor(True),
        "step": torch.tensor(7),
        "ema_model.transformer.rotary_embed.inv_freq": torch.ones(32),
    }
    return {**tensors, **extra, "ema_model.mel_spec.mel_stft.spectrogram.window": torch.ones(4)}


@pytest.fixture
def model():
    return _random(F5DiT(SHAPE))


def _said(dit, *, heard=5, strength=2.0, steps=3):
    generator = torch.Generator().manual_seed(1)
    reference = torch.randn(heard, SHAPE.bands, generator=generator)
    gap = InfillInput(prompt_mel=reference, characters=torch.tensor([1, 9, 4, 4]), frames=12)
    noise = torch.randn(12, SHAPE.bands, generator=generator)
    with torch.inference_mode():
        return infill_mel(
            infill_velocity(dit, dit, gap, strength),
            noise,
            time_grid(steps, -1.0),
            Solver.EULER,
            heard,
        )


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_what_was_saved_as_published_says_the_same(model, tmp_path, kind):
    path = tmp_path / f"model.{kind}"
    if kind == "pt":
        torch.save({"ema_model_state_dict": _published(model), "model_state_dict": {}}, path)
    else:
        save_file(_published(model), path)

    loaded = load_f5(path, version=1)

    assert loaded.shape == SHAPE
    assert torch.equal(_said(loaded), _said(model))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t: t.pop("ema_model.transformer.proj_out.bias"),
            "missing tensors proj_out.bias; not a checkpoint of F5-TTS version 1",
        ),
        (
            lambda t: t.pop("ema_model.transformer.proj_out.weight"),
            "missing tensors proj_out.weight",
        ),
        (
            lambda t: t.update({"ema_model.transformer.proj_in.weight": torch.ones(2)}),
            "unknown tensors proj_in.weight",
        ),
        (
            lambda t: t.update({"ema_model.vocoder.weight": torch.ones(2)}),
            "unknown tensors vocoder.weight",
        ),
        (
            lambda t: t.update({"ema_model.transformer.proj_out.bias": torch.ones(2)}),
            r"proj_out.bias has shape \(2,\)",
        ),
    ],
)
def test_a_tensor_too_few_or_too_many_is_named(model, tmp_path, change, words):
    tensors = _published(model)
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors")

    with pytest.raises(EngineError, match=words):
        load_f5(tmp_path / "model.safetensors", version=1)


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "text.pt").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pt")

    with pytest.raises(EngineError, match="do not exist"):
        load_f5(tmp_path / "absent.safetensors", version=1)
    torch.save({"a": Path("x")}, tmp_path / "object.pt")
    for name in ("text.pt", "object.pt"):
        with pytest.raises(EngineError, match="cannot be read") as raised:
            load_f5(tmp_path / name, version=1)
        # torch's own message advises to load the file unchecked
        assert "weights_only" not in str(raised.value)
    with pytest.raises(EngineError, match="hold list where tensors by name belong"):
        load_f5(tmp_path / "list.pt", version=1)
    with pytest.raises(EngineError, match="no version 2 of F5-TTS"):
        load_f5(tmp_path / "text.pt", version=2)


def test_the_versions_differ_in_what_the_filler_and_the_heads_do(model, tmp_path):
    save_file(_published(model), tmp_path / "model.safetensors")

    older = load_f5(tmp_path / "model.safetensors", version=0)

    assert not torch.allclose(_said(older), _said(model), atol=1e-3)
    text = torch.tensor([[1, 9, 4, 4]])
    assert not model.text_embed(text, 12)[0, 4:].any(), "version 1 hides the filler"
    assert older.text_embed(text, 12)[0, 4:].any()


def test_only_the_gap_is_given_and_guidance_matters(model):
    guided, plain = _said(model), _said(model, strength=0.0)

    assert guided.shape == (7, SHAPE.bands)
    assert not torch.allclose(guided, plain, atol=1e-3)
    assert _said(model, heard=0).shape == (12, SHAPE.bands), "without a recording all of it is new"


def test_a_published_vocos_loads_with_its_buffers_and_no_others(tmp_path):
    model = _random(Vocos(VOCOS))
    tensors = {
        **model.state_dict(),
        "head.istft.window": torch.ones(64),
        "feature_extractor.mel_spec.mel_scale.fb": torch.ones(3),
    }
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    mel = torch.randn(1, 7, 20)

    loaded = load_vocos(tmp_path / "pytorch_model.bin")

    assert loaded.shape == VOCOS
    assert torch.equal(loaded(mel), model(mel))
    torch.save({**tensors, "head.bias": torch.ones(1)}, tmp_path / "more.bin")
    with pytest.raises(EngineError, match=r"unknown tensors head\.bias; not a checkpoint of Vocos"):
        load_vocos(tmp_path / "more.bin")


def _refused(model, path, words, **changes):
    torch.save(
        _published(model)
        | {f"ema_model.transformer.{name}": value for name, value in changes.items()},
        path,
    )
    with pytest.raises(EngineError, match=words) as raised:
        load_f5(path, version=1)
    assert "\n" not in str(raised.value)


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(model, tmp_path):
    path = tmp_path / "model.pt"
    huge = torch.zeros(1).expand(2**20, 2**20)
    _refused(model, path, "no array that the file holds in full", **{"proj_out.weight": huge})
    _refused(
        model,
        path,
        "no array that the file holds in full",
        **{"proj_out.weight": torch.zeros(20, 128).to_sparse()},
    )
    _refused(
        model,
        path,
        "no array that the file holds|cannot be read",
        **{"proj_out.weight": torch.zeros(9, device="meta")},
    )


def test_shapes_that_make_no_model_cost_no_memory(model, tmp_path):
    path = tmp_path / "model.pt"
    # squared: 64 TiB
    _refused(
        model, path, "make no model|has shape|missing", **{"proj_out.weight": torch.zeros(1, 2**22)}
    )
    _refused(model, path, "too few dimensions", **{"proj_out.weight": torch.zeros(())})
    _refused(model, path, "holds NaN", **{"proj_out.bias": torch.full((20,), torch.nan)})
    _refused(
        model, path, "dtype torch.int8", **{"proj_out.bias": torch.zeros(20, dtype=torch.int8)}
    )


def test_a_file_that_unpacks_to_more_than_it_has_is_not_read(model, tmp_path):
    torch.save(_published(model), tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "m.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
        packed.writestr("archive/data/99", bytes(2**24))

    with pytest.raises(EngineError, match="more than the file has"):
        load_f5(tmp_path / "m.pt", version=1)


def test_torn_files_are_one_clear_error(model, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(_published(model), path)
    content = path.read_bytes()
    for length in (0, 1, 10, 100, 1000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(EngineError, match="cannot be read") as raised:
            load_f5(path, version=1)
        assert "\n" not in str(raised.value)
