"""
voxgate.engine.rvc: published voices load strictly and compute what the published packages compute.

GOLDEN holds numbers of transformers 5.2.0 and infer-rvc-python 1.3.1 on the random weights of
`_voice`; the whole comparison needs both, named by VOXGATE_RVC_PYTHON (an interpreter that sees
transformers) and VOXGATE_RVC_SOURCE (the unpacked package).
"""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.studies import rvc_parity
from voxgate.engine.errors import EngineError
from voxgate.engine.rvc.checkpoint import load_rvc, load_synthesizer
from voxgate.engine.rvc.hubert import Hubert, HubertShape
from voxgate.engine.rvc.hubert_checkpoint import load_hubert
from voxgate.engine.rvc.index import index_of, load_index
from voxgate.engine.rvc.nsf_decoder import NsfDecoder, NsfShape, excitation
from voxgate.engine.rvc.random_weights import PUBLISHED, small_sizes, write_random_rvc
from voxgate.engine.rvc.synthesizer import Synthesizer, SynthesizerShape, pitch_numbers

FRAMES = 16
GOLDEN = {
    "v2-48k": {
        "content": [0.205530, -0.029972, 0.763192, -0.601127],
        "latents": [-0.287994, -2.365137, 0.797017, 0.711348],
        "audio": [-0.087815, 0.000153, -0.002105, 0.014254, 0.018222, 0.029971],
    },
    "v1-40k": {
        "content": [1.856217, -0.669992, 0.184097, 2.236783],
        "latents": [0.627551, -2.818458, 2.301942, -4.638690],
        "audio": [-0.179089, 0.059105, -0.183957, -0.162613, -0.071563, 0.017707],
    },
}


def _voice(folder, name="v1-40k"):
    write_random_rvc(folder, small_sizes(PUBLISHED[name]), seed=5)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return _voice(tmp_path_factory.mktemp("voice") / "v1")


def _wave(*shape):
    index = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(index * index * 0.37 + index * 1.1).float().reshape(shape)


@pytest.mark.parametrize("name", GOLDEN)
@torch.inference_mode()
def test_content_latents_and_audio_are_those_of_the_published_packages(tmp_path, name):
    voice = load_rvc(_voice(tmp_path / "voice", name))
    audio = 0.2 * _wave(1, FRAMES * 160 + 80)
    content = voice.hubert(audio)
    f0 = 150.0 + 50.0 * _wave(1, FRAMES)
    f0[:, 4:7] = 0.0
    speaker = voice.synthesizer.emb_g(torch.tensor([1]))
    latents = voice.synthesizer(
        content.repeat_interleave(2, dim=1),
        pitch_numbers(f0),
        speaker,
        _wave(1, 16, FRAMES).transpose(1, 2),
    )
    shape = voice.decoder.shape
    sine = excitation(f0, _wave(1, FRAMES * shape.hop), shape.rate_hz, shape.hop)
    heard = voice.decoder(latents, sine, speaker)

    golden = GOLDEN[name]
    assert content[0, 3, :4].tolist() == pytest.approx(golden["content"], abs=2e-5)
    assert latents[0, 5, :4].tolist() == pytest.approx(golden["latents"], abs=2e-5)
    assert heard[0, 1000:1006].tolist() == pytest.approx(golden["audio"], abs=2e-5)
    assert heard.shape == (1, FRAMES * shape.hop)


def test_the_published_sizes_have_the_published_numbers_of_weights():
    with torch.device("meta"):
        models = Hubert(HubertShape()), Synthesizer(SynthesizerShape()), NsfDecoder(NsfShape())
    hubert, front, back = (sum(p.numel() for p in model.parameters()) for model in models)

    # the published counts have a gain for each normalised weight, and HuBERT's mask
    assert hubert + 768 + 128 == pytest.approx(94.37e6, rel=1e-3)
    assert front + back == pytest.approx(28.7e6, rel=1e-3)
    assert HubertShape().hop == 320 and HubertShape().window == 400


@torch.inference_mode()
def test_old_names_a_wrapper_and_other_endings_load_to_the_same_hubert(written, tmp_path):
    tensors = load_file(written / "hubert.safetensors")
    position = "encoder.pos_conv_embed.conv."
    old = {
        f"{position}parametrizations.weight.original0": f"{position}weight_g",
        f"{position}parametrizations.weight.original1": f"{position}weight_v",
    }
    renamed = {f"hubert.{old.get(name, name)}": value for name, value in tensors.items()}
    torch.save(renamed, tmp_path / "hubert.bin")
    (tmp_path / "config.json").write_text((written / "config.json").read_text())
    audio = 0.1 * _wave(1, 1000)

    plain, other = load_hubert(written / "hubert.safetensors"), load_hubert(tmp_path / "hubert.bin")

    assert torch.equal(plain(audio), other(audio))
    assert torch.equal(plain(audio, 0), other(audio, 0))
    assert not torch.equal(plain(audio, 3), plain(audio))


@torch.inference_mode()
def test_safetensors_with_a_description_load_to_the_same_synthesiser(written, tmp_path):
    stored = torch.load(written / "model.pth", weights_only=True)
    save_file(stored["weight"], tmp_path / "model.safetensors")
    described = {name: stored[name] for name in ("config", "f0", "version")}
    (tmp_path / "model.json").write_text(json.dumps(described))

    first, _, _ = load_synthesizer(written / "model.pth")
    second, decoder, version = load_synthesizer(tmp_path / "model.safetensors")

    assert version == "v1" and decoder.shape.rate_hz == 40_000
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def _set(config, place, value):
    config[place] = value


ODD = [[16, 5, 5, 1], 32, [16, 5, 5, 1]]
CHANGES = [
    (lambda c: c.pop("config"), "no weight and config"),
    (lambda c: c.update(config=c["config"][:17]), "config has 17 values, expected 18"),
    (lambda c: c.update(config="18 characters here"), "config has no values"),
    (lambda c: c.update(version="v3"), "version is 'v3', expected v1 or v2"),
    (lambda c: c.update(version=[1]), "version is list"),
    (lambda c: c.update(version="v2"), "emb_phone.weight has shape"),
    (lambda c: c.update(f0=0), "without F0"),
    (lambda c: c.update(weight=[1]), "hold list where tensors by name belong"),
    (lambda c: _set(c["config"], 2, 10**9), "inter_channels of config is 1000000000"),
    (lambda c: _set(c["config"], 2, True), "inter_channels of config is True"),
    (lambda c: _set(c["config"], 5, 3), "n_heads of config is 3"),
    (lambda c: _set(c["config"], 6, 10**6), "n_layers of config"),
    (lambda c: _set(c["config"], 9, "2"), "resblock of config is '2'"),
    (lambda c: _set(c["config"], 10, [3, 7, 8]), "resblock_kernel_sizes"),
    (lambda c: _set(c["config"], 11, [[1, 3, 5]]), "resblock_kernel_sizes"),
    (lambda c: _set(c["config"], 11, [[1, "3", 5]] * 3), "resblock_dilation_sizes of config"),
    (lambda c: _set(c["config"], 12, []), "upsample_rates of config is list"),
    (lambda c: _set(c["config"], 12, [10, 10, 2, 4]), "sr of config is 40000, expected 100 times"),
    (lambda c: c["config"].__setitem__(slice(12, 15), ODD), "even ones behind the first"),
    (lambda c: _set(c["config"], 13, 34), "to halve 34 by each"),
    (lambda c: _set(c["config"], 14, [16, 16, 4, 5]), "upsample_kernel_sizes"),
    (lambda c: _set(c["config"], 14, [16, 16, 4]), "upsample_kernel_sizes"),
    (lambda c: _set(c["config"], 17, "44k"), "sr of config is '44k'"),
    (lambda c: c["weight"].pop("emb_g.weight"), "missing tensors emb_g.weight"),
    (lambda c: c["weight"].pop("dec.cond.bias"), "missing tensors cond.bias"),
    (lambda c: c["weight"].update({"dec.x": torch.ones(1)}), "unknown tensors x"),
    (lambda c: c["weight"].pop("dec.ups.0.weight_g"), "missing tensors ups.0.weight"),
    (
        lambda c: c["weight"].update({"dec.ups.0.weight_g": torch.ones(1, 16, 1)}),
        "no weight normalisation",
    ),
    (
        lambda c: c["weight"].update({"dec.ups.0.weight": torch.ones(32, 16, 16)}),
        "beside its gain and direction",
    ),
    (
        lambda c: c["weight"].update({"enc_p.proj.bias": torch.full((32,), math.nan)}),
        "NaN or infinity",
    ),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_strangers_synthesiser_is_checked_field_by_field(written, tmp_path, change, words):
    content = torch.load(written / "model.pth", weights_only=True)
    change(content)
    torch.save(content, tmp_path / "model.pth")

    with pytest.raises(EngineError, match=words):
        load_synthesizer(tmp_path / "model.pth")


class _Code:
    def __reduce__(self):
        return Path.touch, (Path("touched"),)


def test_code_in_a_file_does_not_run(written, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = torch.load(written / "model.pth", weights_only=True)
    torch.save(content | {"info": _Code()}, tmp_path / "model.pth")

    with pytest.raises(EngineError, match="of which nothing was run"):
        load_synthesizer(tmp_path / "model.pth")
    assert not Path("touched").exists()


@pytest.mark.parametrize("rate", [40_000, "40k"])
def test_the_posterior_of_training_is_left_out_and_a_rate_may_be_a_word(written, tmp_path, rate):
    content = torch.load(written / "model.pth", weights_only=True)
    content["weight"]["enc_q.pre.weight"] = torch.ones(3)
    content["config"][17] = rate
    torch.save(content, tmp_path / "model.pth")

    assert load_synthesizer(tmp_path / "model.pth")[1].shape.rate_hz == 40_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"do_stable_layer_norm": True}, "do_stable_layer_norm of config.json is True"),
        ({"feat_extract_norm": "layer"}, "feat_extract_norm"),
        ({"model_type": "wavlm"}, "model_type of config.json is 'wavlm'"),
        ({"hidden_size": 10**9}, "hidden_size of config.json is 1000000000, expected 64"),
        ({"num_attention_heads": 5}, "num_attention_heads of config.json is 5"),
        ({"conv_stride": [5, 2]}, "conv_stride"),
        ({"conv_stride": [10**9] * 7}, "conv_stride"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps"),
    ],
)
def test_a_configuration_of_another_encoder_is_refused(written, tmp_path, change, words):
    described = json.loads((written / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(described))
    (tmp_path / "hubert.safetensors").write_bytes((written / "hubert.safetensors").read_bytes())

    with pytest.raises(EngineError, match=words):
        load_hubert(tmp_path / "hubert.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("encoder.layer_norm.bias"), "missing tensors encoder.layer_norm.bias"),
        (lambda t: t.pop("feature_projection.projection.weight"), "fairseq"),
        (lambda t: t.update({"quantizer.weight": torch.ones(2)}), "unknown tensors quantizer"),
    ],
)
def test_a_tensor_of_hubert_that_does_not_belong_is_named(written, tmp_path, change, words):
    tensors = load_file(written / "hubert.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "hubert.safetensors")

    with pytest.raises(EngineError, match=words):
        load_hubert(tmp_path / "hubert.safetensors")


def test_models_that_do_not_fit_each_other_are_refused(written, tmp_path):
    for name in ("model.pth", "config.json"):
        (tmp_path / name).write_bytes((written / name).read_bytes())
    with pytest.raises(EngineError, match=r"has no hubert\.safetensors"):
        load_rvc(tmp_path)

    tensors = load_file(written / "hubert.safetensors")
    kept = {name: value for name, value in tensors.items() if not name.startswith("final_proj")}
    save_file(kept, tmp_path / "hubert.safetensors")
    with pytest.raises(EngineError, match=r"final_proj to 256, .* 9 layers and no final_proj"):
        load_rvc(tmp_path)


def test_the_phase_of_the_source_stays_exact_and_unvoiced_frames_are_noise():
    f0 = torch.full((1, 6000), 123.4)
    f0[:, -10:] = 0.0
    sine = excitation(f0, torch.zeros(1, 6000 * 480), 48_000, 480)[0]

    count = 5990 * 480
    expected = np.sin(2 * np.pi * ((np.arange(1, count + 1) * float(f0[0, 0]) / 48_000) % 1.0))
    assert np.abs(sine[:count].numpy() - 0.1 * expected).max() < 1e-6
    assert not sine[count:].any()
    noise = excitation(f0, torch.ones(1, 6000 * 480), 48_000, 480)[0]
    assert float(noise[-1]) == pytest.approx(0.1 / 3)


@torch.inference_mode()
def test_levels_filtered_piece_by_piece_are_those_filtered_at_once(monkeypatch):
    shape = NsfShape(latent=8, width=32, speaker_width=4)
    decoder = NsfDecoder(shape)
    inputs = torch.randn(2, 30, 8), torch.randn(2, 30 * shape.hop), torch.randn(2, 4)
    whole, taken = decoder(*inputs), []
    filter_piece = NsfDecoder._filter_piece
    monkeypatch.setattr("voxgate.engine.rvc.nsf_decoder.BLOCK_ELEMENTS", 1)
    monkeypatch.setattr(
        NsfDecoder,
        "_filter_piece",
        lambda self, level, x: taken.append(x.shape[1]) or filter_piece(self, level, x),
    )

    assert torch.allclose(decoder(*inputs), whole, atol=1e-6)
    assert len(taken) > 100


def test_pitch_numbers_cover_50_to_1100_hz():
    numbers = pitch_numbers(torch.tensor([[0.0, 10.0, 50.0, 200.0, 1100.0, 5000.0]]))

    # 200 Hz: (283.2 - 77.8) / (1064.4 - 77.8) of 254, and 1
    assert numbers.tolist() == [[1, 1, 1, 54, 255, 255]]


def test_a_part_of_the_content_is_replaced_by_its_weighted_neighbours(tmp_path):
    features = torch.tensor([[0.0, 0.0], [2.0, 0.0], [100.0, 0.0]])
    index = index_of(features)
    content = torch.tensor([[0.5, 0.0], [2.0, 0.0]])

    # squared distances .25, 2.25 and 9900.25: weights 16 : .1975 : 1e-8
    mean = 2.0 * (1 / 2.25**2) / (1 / 0.25**2 + 1 / 2.25**2)
    assert index.mixed(content, 1.0)[0, 0] == pytest.approx(mean, abs=1e-3)
    assert index.mixed(content, 0.5)[0, 0] == pytest.approx((0.5 + mean) / 2, abs=1e-3)
    assert index.mixed(content, 1.0)[1, 0] == pytest.approx(2.0, abs=1e-3)
    assert torch.equal(index.mixed(content, 0.0), content)


def test_an_index_is_a_matrix_of_the_contents_width_and_never_a_pickle(tmp_path):
    assert load_index(tmp_path, 4) is None
    (tmp_path / "added.index").write_bytes(b"IwFl")
    with pytest.raises(EngineError, match="file of faiss"):
        load_index(tmp_path, 4)

    for stored, words in (
        (np.ones((3, 5), np.float32), r"torch.float32 \(3, 5\), expected"),
        (np.ones((3, 4), np.int64), "torch.int64"),
        (np.full((3, 4), np.nan, np.float32), "NaN or infinity"),
        (np.array([{}], dtype=object), "cannot be read"),
        (np.array(["a"]), "cannot be read"),
    ):
        np.save(tmp_path / "index.npy", stored)
        with pytest.raises(EngineError, match=words):
            load_index(tmp_path, 4)
    (tmp_path / "index.npy").write_bytes((tmp_path / "index.npy").read_bytes()[:100])
    with pytest.raises(EngineError, match="cannot be read"):
        load_index(tmp_path, 4)

    (tmp_path / "index.npy").unlink()
    save_file({"features": torch.ones(3, 4).half()}, tmp_path / "index.safetensors")
    loaded = load_index(tmp_path, 4)
    assert loaded is not None and loaded.features.shape == (3, 4)


def test_random_weights_need_an_empty_folder(written):
    with pytest.raises(EngineError, match="is not empty"):
        write_random_rvc(written, small_sizes(PUBLISHED["v2-32k"]))


@pytest.mark.skipif("VOXGATE_RVC_PYTHON" not in os.environ, reason="needs transformers and RVC")
def test_every_stage_of_every_version_and_rate_computes_what_the_packages_compute(tmp_path):
    source = Path(os.environ["VOXGATE_RVC_SOURCE"])
    rvc_parity.prepare(tmp_path, os.environ["VOXGATE_RVC_PYTHON"], source, full=False)
    found = rvc_parity.compare_hubert(tmp_path)
    for name in rvc_parity.VARIANTS:
        found += rvc_parity.compare_variant(tmp_path, name)

    assert len(found) == 4 + 7 * 6
    assert [stage.name for stage in found if not stage.fits] == []
