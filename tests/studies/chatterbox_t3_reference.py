"""
The reference side of `chatterbox_t3_parity.py`: runs in an interpreter that sees chatterbox-tts
0.1.7, and imports nothing of this project.

Makes models with random weights by the package's code, saves them as they are published, and
writes what they compute.
"""

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parent))
from chatterbox_stand_ins import install, randomise

install()
from chatterbox.models.t3 import T3, llama_configs  # noqa: E402
from chatterbox.models.t3.modules import cond_enc  # noqa: E402
from chatterbox.models.t3.modules.cond_enc import T3Cond  # noqa: E402
from chatterbox.models.t3.modules.perceiver import Perceiver  # noqa: E402
from chatterbox.models.t3.modules.t3_config import T3Config  # noqa: E402
from chatterbox.models.tokenizers import EnTokenizer, MTLTokenizer  # noqa: E402
from chatterbox.models.voice_encoder import VoiceEncoder  # noqa: E402
from chatterbox.mtl_tts import punc_norm as punc_norm_multilingual  # noqa: E402
from chatterbox.tts import punc_norm  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402


def make_t3(case: dict) -> nn.Module:
    """Build a T3 of other sizes; the perceiver's are hard-coded in the package."""
    width = case["width"]
    llama_configs.LLAMA_CONFIGS["case"] = {
        **llama_configs.LLAMA_520M_CONFIG_DICT,
        "hidden_size": width,
        "intermediate_size": case["hidden"],
        "num_hidden_layers": case["layers"],
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 64,
    }
    config = T3Config(text_tokens_dict_size=case["text_tokens"])
    config.llama_config_name = "case"
    cond_enc.Perceiver = lambda: Perceiver(32, width, width, 4)
    t3 = T3(config)
    randomise(t3, case["seed"])
    return t3.eval()


def voice_of(said: dict, emotion: float) -> T3Cond:
    """Return the conditioning of one run."""
    return T3Cond(
        speaker_emb=said["speaker"][None],
        cond_prompt_speech_tokens=said["prompt"][None],
        emotion_adv=emotion * torch.ones(1, 1, 1),
    )


def decode(t3: nn.Module, run: dict, said: dict) -> dict:
    """Run the package's decoding; also return every step's logits of both rows."""
    text = torch.tensor([run["text"], run["text"]])
    logits: list[torch.Tensor] = []
    original_head = t3.speech_head.forward
    t3.speech_head.forward = lambda x: (logits.append(original_head(x)), logits[-1])[1]
    multinomial = torch.multinomial
    if run["greedy"]:
        torch.multinomial = lambda p, num_samples: p.argmax(-1, keepdim=True)
    torch.manual_seed(run["seed"])
    try:
        tokens = t3.inference(
            t3_cond=voice_of(said, run["emotion"]),
            text_tokens=text,
            max_new_tokens=run["tokens"],
            temperature=run["temperature"],
            top_p=run["top_p"],
            min_p=run["min_p"],
            repetition_penalty=run["repetition_penalty"],
            cfg_weight=run["cfg_weight"],
        )
    finally:
        t3.speech_head.forward = original_head
        torch.multinomial = multinomial
    found = {"tokens": tokens[0], "logits": torch.stack([each[:, -1] for each in logits])}
    analyzer = t3.patched_model.alignment_stream_analyzer
    return found if analyzer is None else {**found, "attention": analyzer.alignment}


@torch.inference_mode()
def compute(folder: Path, case: dict, said: dict) -> None:
    """Save one checkpoint, and what it computes in every run."""
    t3 = make_t3(case)
    tensors = {name: value.contiguous() for name, value in t3.state_dict().items()}
    save_file(tensors, folder / f"{case['name']}.t3.safetensors")
    for run in case["runs"]:
        found = decode(t3, run, said)
        found["conditioning"] = t3.prepare_conditioning(voice_of(said, run["emotion"]))[0]
        found = {name: value.clone().contiguous() for name, value in found.items()}
        save_file(found, folder / f"{case['name']}-{run['name']}.safetensors")


@torch.inference_mode()
def embed(folder: Path, weights: Path | None) -> None:
    """Save a voice encoder, and its vectors of every recording."""
    encoder = VoiceEncoder().eval()
    if weights is None:
        randomise(encoder, 3)
    else:
        stored = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        renamed = {name.replace("linear.", "proj."): value for name, value in stored.items()}
        encoder.load_state_dict(renamed)
    save_file(encoder.state_dict(), folder / "ve.safetensors")
    vectors = {
        name: torch.from_numpy(encoder.embeds_from_wavs([audio.numpy()], sample_rate=16_000)[0])
        for name, audio in load_file(folder / "recordings.safetensors").items()
    }
    save_file(vectors, folder / "vectors.safetensors")


def encode(folder: Path) -> None:
    """Write the ids of every text, by the package's front-ends."""
    texts = json.loads((folder / "texts.json").read_text())
    path = str(folder / "vocabulary.json")
    english, multilingual = EnTokenizer(path), MTLTokenizer(path)
    ids = [
        english.encode(punc_norm(text))
        if language is None
        else multilingual.encode(punc_norm_multilingual(text), language_id=language)
        for text, language in texts
    ]
    (folder / "ids.json").write_text(json.dumps(ids))


def main(folder: Path, weights: Path | None) -> None:
    """Do all of it."""
    torch.set_num_threads(1)
    said = load_file(folder / "voice.safetensors")
    encode(folder)
    embed(folder, weights)
    for case in json.loads((folder / "cases.json").read_text()):
        compute(folder, case, said)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
