"""
The reference side of `fish_parity.py`: runs in an interpreter that sees the package
fish-speech-lib 0.1.1.1.

    PYTHON fish_reference.py FOLDER

Makes decoder and codec of Fish-Speech 1.5 with random weights by *their* code, saves them as they
publish theirs, and writes what they compute. FOLDER holds case.json and input.safetensors.
"""

import importlib.util
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # run as a script, by another interpreter

import torch
from chatterbox_stand_ins import module, randomise
from safetensors.torch import load_file, save_file

PACKAGE = "fish_speech_lib.fish_speech"


def without_surroundings() -> None:
    """Make the decoder importable without the package's trainer, text and user interface."""
    spec = importlib.util.find_spec("fish_speech_lib")
    assert spec is not None and spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0])
    for name, path in (("fish_speech_lib", folder), (PACKAGE, folder / "fish_speech")):
        sys.modules[name] = made = types.ModuleType(name)
        made.__path__ = [str(path)]
    for name, offered in (
        ("utils", {"RankedLogger": lambda name, **_: logging.getLogger(name)}),
        ("text", {"clean_text": None, "split_text": None}),
    ):
        sys.modules[f"{PACKAGE}.{name}"] = made = types.ModuleType(name)
        made.__path__ = [str(folder / "fish_speech" / name)]
        made.__dict__.update(offered)


def stand_in_for_torchaudio() -> None:
    """Offer the mel filters, by librosa, and the names that are imported and not used."""

    def filters(
        n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int, **_: object
    ) -> torch.Tensor:
        import librosa

        found = librosa.filters.mel(
            sr=sample_rate, n_fft=2 * (n_freqs - 1), n_mels=n_mels, fmin=f_min, fmax=f_max
        )
        return torch.from_numpy(found).T

    import transformers  # noqa: F401 - looks for torchaudio before it is there

    module("torchaudio")
    module("torchaudio.functional", melscale_fbanks=filters)
    module("torchaudio.transforms", MelScale=None)


class Numbers:
    """Stands for their tokeniser: the vocabulary ends with the end of speech and 1024 codes."""

    def __init__(self, vocabulary: int) -> None:
        self.semantic_begin_id = vocabulary - 1024
        self.end = self.semantic_begin_id - 1

    def get_token_id(self, token: str) -> int:
        """Return the number of a special token."""
        if token.startswith("<|semantic:"):
            return self.semantic_begin_id + int(token[len("<|semantic:") : -2])
        return self.end


def build(case: dict[str, Any]) -> Any:
    """Return their decoder of the case's sizes, with random weights."""
    from fish_speech_lib.fish_speech.models.text2semantic.llama import (
        DualARModelArgs,
        DualARTransformer,
    )

    config = DualARModelArgs(**case["config"])
    model = DualARTransformer(config, tokenizer=Numbers(config.vocab_size))
    randomise(model, case["seed"])
    with torch.no_grad():
        # the end and the codes are likely, text is not
        model.output.weight[: config.vocab_size - 1025].mul_(0.1)
        model.output.weight.mul_(case["gain"])
        model.fast_output.weight.mul_(case["gain"])
    return model.eval()


def save_published(model: Any, folder: Path) -> None:
    """Save as published: weights under a training wrapper's names, and the configuration."""
    weights = {f"model.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": weights}, folder / "model.pth")
    model.config.save(folder / "config.json")


@torch.inference_mode()
def run(model: Any, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return first logits, fast logits, and the frames of every run."""
    from fish_speech_lib.fish_speech.models.text2semantic import inference
    from fish_speech_lib.fish_speech.models.text2semantic.sampling import SamplingRng

    prompt = torch.tensor(case["prompt"])
    model.setup_caches(1, model.config.max_seq_len, dtype=torch.float32)
    read = model.forward_generate(prompt[None], torch.arange(prompt.shape[1]))
    found = {"logits": read.logits[0, -1], "hidden": read.hidden_states[0, -1]}
    fast = model.forward_generate_fast(read.hidden_states, torch.tensor([0]))
    found["fast_logits"] = fast[0, 0]
    for name, options in case["runs"].items():
        frames = inference.generate(
            model=model,
            prompt=prompt,
            max_new_tokens=case["frames"],
            decode_one_token=inference.decode_one_token_ar,
            rng=SamplingRng("cpu", case["seed"]),
            **options,
        )
        found[f"frames {name}"] = frames[:, prompt.shape[1] :]
    return found


def build_codec(case: dict[str, Any]) -> Any:
    """Return their codec of the case's sizes, with random weights."""
    from fish_speech_lib.fish_speech.models.vqgan.modules import firefly, fsq
    from fish_speech_lib.fish_speech.utils.spectrogram import LogMelSpectrogram

    sizes = case["codec"]
    width = sizes["dims"][-1]
    codec = firefly.FireflyArchitecture(
        backbone=firefly.ConvNeXtEncoder(160, depths=sizes["depths"], dims=sizes["dims"]),
        head=firefly.HiFiGANGenerator(
            upsample_kernel_sizes=(16, 16, 4, 4, 4),
            num_mels=width,
            upsample_initial_channel=sizes["head_width"],
            pre_conv_kernel_size=13,
            post_conv_kernel_size=13,
        ),
        quantizer=fsq.DownsampleFiniteScalarQuantize(
            input_dim=width,
            n_groups=8,
            n_codebooks=1,
            levels=[8, 5, 5, 5],
            downsample_factor=(2, 2),
        ),
        spec_transform=LogMelSpectrogram(n_mels=160),
    )
    randomise(codec, case["seed"])
    with torch.no_grad():
        for name, weight in codec.named_parameters():
            if "project_in" in name:
                weight.mul_(6.0)  # all levels occur
            if name == "head.conv_post.conv.parametrizations.weight.original0":
                weight.mul_(2.0)  # far from silence
    return codec.eval()


@torch.inference_mode()
def run_codec(codec: Any, audio: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the codec's mel, codes and audio."""
    codes, _ = codec.encode(audio[None, None], torch.tensor([len(audio)]))
    heard, _ = codec.decode(codes, torch.tensor([codes.shape[2]]))
    mel = codec.spec_transform(audio[None])[0].T
    return {"mel": mel, "codes": codes[0].long(), "audio": heard[0, 0]}


def main(folder: Path) -> None:
    """Save the checkpoints and what they compute."""
    stand_in_for_torchaudio()
    without_surroundings()
    torch.set_num_threads(1)
    case = json.loads((folder / "case.json").read_text())
    model = build(case)
    save_published(model, folder)
    found = run(model, case)
    codec = build_codec(case)
    weights = {f"generator.{name}": value for name, value in codec.state_dict().items()}
    torch.save({"state_dict": weights}, folder / "firefly.pth")
    found |= run_codec(codec, load_file(folder / "input.safetensors")["audio"])
    save_file(
        {name: value.contiguous() for name, value in found.items()}, folder / "said.safetensors"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
