"""
The reference side of `s3gen_parity.py`: runs in an interpreter that sees the package
chatterbox-tts 0.1.7.

    PYTHON s3gen_reference.py FOLDER

Makes S3Gen with random weights by *their* code, saves it as they publish theirs, and writes the
output of every stage. FOLDER holds case.json (sizes and seeds) and input.safetensors.
"""

import functools
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # run as a script, by another interpreter

import chatterbox_stand_ins as stand_ins
import torch
from safetensors.torch import load_file, save_file

FORMULAS = ("tokenizer._mel_filters", "tokenizer.window")


def build(case: dict[str, Any]) -> Any:
    """Return their S3Gen of the case's sizes, with random weights."""
    from chatterbox.models.s3gen import s3gen
    from s3tokenizer.model_v2 import S3TokenizerV2

    config = S3TokenizerV2.__init__.__defaults__[0]
    config.n_audio_state, config.n_audio_head = case["tokenizer_width"], case["tokenizer_heads"]
    config.n_audio_layer = case["tokenizer_layers"]
    kept = {name: getattr(s3gen, name) for name in case["overrides"]}
    for name, changed in case["overrides"].items():
        setattr(s3gen, name, functools.partial(_changed, kept[name], changed))
    model = s3gen.S3Token2Wav()
    for name, original in kept.items():
        setattr(s3gen, name, original)
    stand_ins.randomise(model, case["seed"])
    with torch.no_grad():
        # voiced and unvoiced frames, and audio below the clamp
        model.mel2wav.f0_predictor.classifier.weight.mul_(case["f0_gain"])
        model.mel2wav.conv_post.parametrizations.weight.original0.mul_(case["last_gain"])
    return model.eval()


def _changed(original: Any, changed: dict[str, Any], **arguments: Any) -> Any:
    return original(**{**arguments, **changed})


def save_published(model: Any, path: Path) -> None:
    """Save as published: without the two formulas."""
    state = {
        name: value.contiguous()
        for name, value in model.state_dict().items()
        if name not in FORMULAS
    }
    save_file(state, path)


@torch.inference_mode()
def stages(model: Any, case: dict[str, Any], given: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the output of every stage."""
    from chatterbox.models.s3gen.xvector import extract_feature

    audio = given["audio_16khz"]
    found = {"log_mel": model.tokenizer.log_mel_spectrogram(audio)}
    found["tokens"] = model.tokenizer(audio[None])[0][0]
    found["long_tokens"] = model.tokenizer(given["long_16khz"][None])[0][0]
    found["fbank"] = extract_feature(audio[None])[0][0]
    found["xvector"] = model.speaker_encoder.inference(audio[None])[0]
    found["prompt_mel"] = model.mel_extractor(given["audio_24khz"][None])[0].T
    prompt_tokens = found["tokens"][: len(found["prompt_mel"]) // 2]
    every = torch.cat((prompt_tokens, given["tokens"]))[None]
    hidden, _ = model.flow.encoder(
        model.flow.input_embedding(every), torch.tensor([every.shape[1]])
    )
    found["mean"] = model.flow.encoder_proj(hidden)[0]
    prompt = {
        "prompt_token": prompt_tokens[None],
        "prompt_token_len": torch.tensor([len(prompt_tokens)]),
        "prompt_feat": found["prompt_mel"][None],
        "prompt_feat_len": None,
        "embedding": found["xvector"][None],
    }
    torch.manual_seed(case["seed"])
    mel = model.flow_inference(
        given["tokens"][None], ref_dict=dict(prompt), n_cfm_timesteps=case["steps"], finalize=True
    )
    return found | _voiced(model, case, given, mel, prompt)


def _voiced(
    model: Any,
    case: dict[str, Any],
    given: dict[str, torch.Tensor],
    mel: torch.Tensor,
    prompt: dict[str, Any],
) -> dict[str, Any]:
    vocoder = model.mel2wav
    f0 = vocoder.f0_predictor(mel)
    torch.manual_seed(case["seed"])
    source, _, _ = vocoder.m_source(vocoder.f0_upsamp(f0[:, None]).transpose(1, 2))
    source = source.transpose(1, 2)
    audio = vocoder.decode(mel, source)
    torch.manual_seed(case["seed"])
    chain, _ = model.inference(
        given["tokens"][None], ref_dict=dict(prompt), n_cfm_timesteps=case["steps"]
    )
    return {
        "mel": mel[0].T,
        "f0": f0[0],
        "source": source[0, 0],
        "audio": audio[0],
        "chain": chain[0],
    }


def main(folder: Path) -> None:
    """Save the checkpoint and the output of every stage."""
    stand_ins.install()
    case = json.loads((folder / "case.json").read_text())
    torch.set_num_threads(1)
    model = build(case)
    save_published(model, folder / "s3gen.safetensors")
    found = stages(model, case, load_file(folder / "input.safetensors"))
    save_file(
        {name: value.contiguous() for name, value in found.items()}, folder / "said.safetensors"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
