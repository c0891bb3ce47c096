"""
Load a published Chatterbox checkpoint: T3, the voice encoder, the vocabulary and S3Gen.

The files keep their published names. Loading is strict: a missing or unknown tensor is an error
that names it. Sizes follow from the tensors' shapes; the width of an attention head does not, and
is that of the published model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from voxgate.engine.chatterbox.s3gen import S3Gen
from voxgate.engine.chatterbox.s3gen_checkpoint import load_s3gen
from voxgate.engine.chatterbox.t3 import HEAD_WIDTH, STOP_SPEECH, ChatterboxT3, ChatterboxT3Shape
from voxgate.engine.chatterbox.text import TextVocabulary
from voxgate.engine.chatterbox.voice_encoder import VoiceEncoder, load_voice_encoder
from voxgate.engine.config.chatterbox import ModelVariant
from voxgate.engine.errors import EngineError
from voxgate.engine.weights.tensor_file import read_tensors
from voxgate.engine.weights.voice import fill_model

UNUSED = "tfmr.embed_tokens.weight"
"""Of the stack's class in the package; inputs are vectors."""
T3_FILES = {
    ModelVariant.ENGLISH: "t3_cfg.safetensors",
    ModelVariant.MULTILINGUAL: "t3_mtl23ls_v2.safetensors",
}
VOCABULARY_FILES = {
    ModelVariant.ENGLISH: "tokenizer.json",
    ModelVariant.MULTILINGUAL: "grapheme_mtl_merged_expanded_v1.json",
}
S3GEN_FILES = ("s3gen.safetensors", "s3gen.pt")
VOICE_ENCODER_FILES = ("ve.safetensors", "ve.pt")
LAYOUT = "a T3 of Chatterbox, English or multilingual"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHalf:
    """What turns text and a recording into tokens of speech, fp32 on the CPU."""

    t3: ChatterboxT3
    voice_encoder: VoiceEncoder
    vocabulary: TextVocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatterboxModels(TextHalf):
    """All models of a checkpoint, fp32 on the CPU."""

    s3gen: S3Gen


def load_chatterbox(folder: Path, variant: ModelVariant) -> ChatterboxModels:
    """
    Load all models from the folder of a checkpoint.

    Raises: EngineError for a part that is missing, unreadable, or does not fit the others.
    """
    half = load_text_half(folder, variant)
    return ChatterboxModels(
        t3=half.t3,
        voice_encoder=half.voice_encoder,
        vocabulary=half.vocabulary,
        s3gen=load_s3gen(_first_of(folder, S3GEN_FILES)),
    )


def load_text_half(folder: Path, variant: ModelVariant) -> TextHalf:
    """
    Load T3, voice encoder and vocabulary from the folder of a checkpoint.

    Raises: EngineError for a part that is missing, unreadable, or does not fit the others.
    """
    if not folder.is_dir():
        raise EngineError(
            f"weights {folder} is no folder; name the folder of a Chatterbox checkpoint "
            f"({T3_FILES[variant]} and the files beside it)"
        )
    vocabulary = TextVocabulary(folder / VOCABULARY_FILES[variant])
    encoder = load_voice_encoder(_first_of(folder, VOICE_ENCODER_FILES))
    t3 = load_t3(folder / T3_FILES[variant])
    if vocabulary.size > t3.shape.text_tokens:
        raise EngineError(
            f"weights {folder}: {VOCABULARY_FILES[variant]} has {vocabulary.size} tokens, the "
            f"model {t3.shape.text_tokens}; give its own"
        )
    if encoder.proj.out_features != t3.shape.speaker_size:
        raise EngineError(
            f"weights {folder}: the voice encoder writes {encoder.proj.out_features} numbers, the "
            f"model reads {t3.shape.speaker_size}; give its own"
        )
    return TextHalf(t3=t3, voice_encoder=encoder, vocabulary=vocabulary)


def load_t3(path: Path) -> ChatterboxT3:
    """
    Load a T3, fp32 on the CPU.

    Raises: EngineError for an unreadable file, and tensors that are missing, unknown or misshapen.
    """
    tensors = read_tensors(path, unwrap=_from_training)
    tensors.pop(UNUSED, None)
    shape = _shape_of(path, tensors)
    return fill_model(path, lambda: ChatterboxT3(shape), tensors, LAYOUT)


def _from_training(content: Mapping[object, object]) -> object:
    """Return the tensors themselves where a list of one holds them."""
    model = content.get("model")
    return model[0] if isinstance(model, list) and model else content


def _shape_of(path: Path, tensors: Mapping[str, Tensor]) -> ChatterboxT3Shape:
    try:
        text, speech = tensors["text_emb.weight"], tensors["speech_emb.weight"]
        layers = {name.split(".")[2] for name in tensors if name.startswith("tfmr.layers.")}
        shape = ChatterboxT3Shape(
            text_tokens=text.shape[0],
            speech_tokens=speech.shape[0],
            width=speech.shape[1],
            hidden=tensors["tfmr.layers.0.mlp.gate_proj.weight"].shape[0],
            layers=len(layers),
            text_positions=tensors["text_pos_emb.emb.weight"].shape[0],
            speech_positions=tensors["speech_pos_emb.emb.weight"].shape[0],
            queries=tensors["cond_enc.perceiver.pre_attention_query"].shape[1],
            speaker_size=tensors["cond_enc.spkr_enc.weight"].shape[1],
        )
    except KeyError as error:
        raise EngineError(
            f"weights {path}: missing tensors {error.args[0]}; not {LAYOUT}"
        ) from None
    except IndexError:
        raise EngineError(
            f"weights {path}: a tensor has too few dimensions; not {LAYOUT}"
        ) from None
    if shape.width % HEAD_WIDTH or shape.speech_tokens <= STOP_SPEECH:
        raise EngineError(
            f"weights {path}: {shape.speech_tokens} tokens of speech of width {shape.width}, "
            f"expected more than {STOP_SPEECH} and a multiple of {HEAD_WIDTH}; not {LAYOUT}"
        )
    return shape


def _first_of(folder: Path, names: tuple[str, ...]) -> Path:
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])
