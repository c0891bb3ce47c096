"""
Untrained weights for f5-tts and chatterbox-tts, in the files in which their own are published, and
subclasses of the example targets that make the models small. Runs in the engine's environment.

    ENVIRONMENT/bin/python untrained.py f5|chatterbox FOLDER
"""

import sys
import wave
from array import array
from pathlib import Path
from random import Random

SMALL_LLAMA = {"intermediate_size": 128, "num_hidden_layers": 2}
"""Other parts of the model have its width as a constant."""
SMALL_F5 = '''
"""The target with a model that is small enough for a test."""
from f5_target import F5Target, HarnessError, OptionCheck

class Small(F5Target):
    def load(self, cell, defaults):
        import f5_tts.api, soundfile, torch, torchaudio
        whole = f5_tts.api.OmegaConf.load
        def small(path):
            config = whole(path)
            config.model.arch.update(dim=64, depth=2, heads=2, text_dim=32, conv_layers=1)
            return config
        f5_tts.api.OmegaConf.load = small
        def read(path):  # torchaudio reads through torchcodec, which needs FFmpeg
            audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
            return torch.from_numpy(audio.T.copy()), rate_hz
        torchaudio.load = read
        super().load(cell, defaults)
'''
SMALL_CHATTERBOX = f'''
"""The target with a model that is small enough for a test."""
from chatterbox_target import ChatterboxTarget
SMALL_LLAMA = {SMALL_LLAMA}

class Small(ChatterboxTarget):
    def load(self, cell, defaults):
        from chatterbox.models.t3 import llama_configs, t3
        llama_configs.LLAMA_CONFIGS["Llama_520M"].update(SMALL_LLAMA)
        whole = t3.T3.inference
        def short(self, **named):  # untrained, it never ends
            return whole(self, **{{**named, "max_new_tokens": 20}})
        t3.T3.inference = short
        super().load(cell, defaults)
'''
VOCOS = """
feature_extractor:
  class_path: vocos.feature_extractors.MelSpectrogramFeatures
  init_args: {sample_rate: 24000, n_fft: 1024, hop_length: 256, n_mels: 100, padding: center}
backbone:
  class_path: vocos.models.VocosBackbone
  init_args: {input_channels: 100, dim: 64, intermediate_dim: 128, num_layers: 2}
head:
  class_path: vocos.heads.ISTFTHead
  init_args: {dim: 64, n_fft: 1024, hop_length: 256, padding: center}
"""


def write_prompt(path: Path) -> None:
    """Write three seconds of noise."""
    random = Random(0)
    samples = array("h", (random.randrange(-6000, 6000) for _ in range(3 * 24_000)))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def write_f5(folder: Path) -> None:
    """Write weights, vocoder, prompt and the small target below a project's folder."""
    from importlib.resources import files

    import torch
    from f5_tts.model import CFM, DiT
    from f5_tts.model.utils import get_tokenizer
    from safetensors.torch import save_file
    from vocos import Vocos

    torch.manual_seed(0)
    vocabulary = str(files("f5_tts").joinpath("infer/examples/vocab.txt"))
    characters, size = get_tokenizer(vocabulary, "custom")
    arch = {"dim": 64, "depth": 2, "heads": 2, "text_dim": 32, "conv_layers": 1, "ff_mult": 2}
    model = CFM(
        transformer=DiT(**arch, text_num_embeds=size, mel_dim=100),
        mel_spec_kwargs={"mel_spec_type": "vocos"},
        vocab_char_map=characters,
    )
    for weight in model.parameters():  # the published initialisation of the output is zero
        torch.nn.init.normal_(weight, std=0.05)
    weights = {f"ema_model.{name}": each for name, each in model.state_dict().items()}
    vocoder = folder / "weights" / "vocos-mel-24khz"
    vocoder.mkdir(parents=True)
    save_file(weights, folder / "weights" / "model_1250000.safetensors")
    (vocoder / "config.yaml").write_text(VOCOS)
    torch.save(
        Vocos.from_hparams(vocoder / "config.yaml").state_dict(), vocoder / "pytorch_model.bin"
    )
    (folder / "small.py").write_text(SMALL_F5)
    write_prompt(folder / "prompt.wav")


def write_chatterbox(folder: Path) -> None:
    """Write weights, tokenizer, a voice and the small target below a project's folder."""
    import torch
    from chatterbox.models.s3gen import S3Gen
    from chatterbox.models.t3 import T3, llama_configs
    from chatterbox.models.voice_encoder import VoiceEncoder
    from chatterbox.tts import ChatterboxTTS
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models

    torch.manual_seed(0)
    weights = folder / "weights"
    weights.mkdir()
    llama_configs.LLAMA_CONFIGS["Llama_520M"].update(SMALL_LLAMA)
    parts = {"ve": VoiceEncoder(), "t3_cfg": T3(), "s3gen": S3Gen()}
    for name, part in parts.items():
        state = {key: value.clone() for key, value in part.state_dict().items()}
        save_file(state, weights / f"{name}.safetensors")
    names = ["[UNK]", "[SPACE]", *map(chr, range(33, 127))]
    vocabulary = {name: number for number, name in enumerate(names, 1)} | {"[START]": 255}
    tokenizer = Tokenizer(models.BPE({**vocabulary, "[STOP]": 0}, [], unk_token="[UNK]"))
    tokenizer.save(str(weights / "tokenizer.json"))
    write_prompt(folder / "prompt.wav")
    (folder / "small.py").write_text(SMALL_CHATTERBOX)
    model = ChatterboxTTS.from_local(weights, "cpu")
    model.prepare_conditionals(folder / "prompt.wav")
    model.conds.save(weights / "conds.pt")


if __name__ == "__main__":
    place = Path(sys.argv[2])
    write_f5(place) if sys.argv[1] == "f5" else write_chatterbox(place)
