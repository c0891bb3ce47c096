"""
Does the text half of a published Chatterbox checkpoint load in this engine, and does it write the
same tokens?

`python -m tests.studies.chatterbox_t3_parity FOLDER --package PYTHON [--full]`

PYTHON is an interpreter that sees chatterbox-tts 0.1.7; how to make one stands in
docs/evidence/published-checkpoints.md. It makes models of random weights by the package's code,
saves them as they are published, and decodes; then this engine loads the files and decodes too.
Prints a Markdown table; ends with 1 if logits or vectors differ by more than LIMIT, or any token
differs.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import soundfile
import soxr
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgate.engine.chatterbox.alignment import HeadProbe
from voxgate.engine.chatterbox.checkpoint import load_t3
from voxgate.engine.chatterbox.random_weights import vocabulary
from voxgate.engine.chatterbox.t3 import START_TEXT, STOP_TEXT, ChatterboxT3, T3Voice
from voxgate.engine.chatterbox.t3_decoding import T3Decoding, decode, make_cache
from voxgate.engine.chatterbox.text import TextVocabulary, normalised
from voxgate.engine.chatterbox.voice_encoder import embed_speaker, load_voice_encoder
from voxgate.engine.config import KVCacheKind
from voxgate.engine.tokens.sampling import Sampling

LIMIT = 1e-4
RECORDING = Path(__file__).parents[1] / "data" / "slt.flac"
REFERENCE = Path(__file__).with_name("chatterbox_t3_reference.py")
SMALL = {"width": 128, "hidden": 256, "layers": 3, "text_tokens": 704}
SMALL_MULTILINGUAL = {"width": 1024, "hidden": 256, "layers": 14, "text_tokens": 2454}
"""The alignment reads heads 2, 11 and 15 of layers 9, 13 and 12."""
FULL = {"width": 1024, "hidden": 4096, "layers": 30, "text_tokens": 704}
TEXTS = (
    ("hello there... It's   me: “quoted” – and so on", None),
    ("A pause ; then — nothing", None),
    ("Does it end?", None),
    ("Wait - what? ‘Yes’ …", None),
    ("3 apples , and a pear!", None),
    ("¿Qué hora es? Ñandú…", "es"),
    ("Grüße aus Köln", "de"),
    ("안녕하세요", "ko"),
    ("終わり。", "fr"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison: the largest `difference` of values up to `largest`; whether tokens agree."""

    case: str
    run: str
    stage: str
    difference: float
    largest: float
    tokens: str = "-"

    @property
    def agrees(self) -> bool:
        """Whether it is within the limit."""
        same = self.tokens == "-" or self.tokens.startswith("same")
        return self.difference <= LIMIT and same


def cases(*, full: bool) -> list[dict]:
    """Return the checkpoints and their runs."""
    text = [START_TEXT, *np.random.default_rng(5).integers(10, 90, 24).tolist(), STOP_TEXT]
    plain = {"text": text, "cfg_weight": 0.5, "emotion": 0.5, "top_p": 1.0, "min_p": 0.05}
    plain |= {"greedy": False, "temperature": 0.8, "repetition_penalty": 1.2, "tokens": 40}
    greedy = {**plain, "name": "greedy", "greedy": True, "temperature": 1.0, "seed": 0}
    sampled = {**plain, "name": "sampled", "seed": 11}
    varied = {"temperature": 1.3, "top_p": 0.8, "min_p": 0.0, "cfg_weight": 1.5, "emotion": 1.1}
    other = {**plain, "name": "sampled-top-p", "seed": 12, **varied, "repetition_penalty": 2.0}
    # without a penalty the same token comes again, and the alignment forces the end
    repeating = {**greedy, "name": "forced-end", "repetition_penalty": 1.0}
    small = [
        {"name": "small-english", "seed": 1, **SMALL, "runs": [greedy, sampled, other]},
        {
            "name": "small-multilingual",
            "seed": 2,
            **SMALL_MULTILINGUAL,
            "runs": [greedy, sampled, repeating],
        },
    ]
    short = {"tokens": 25}
    runs = [{**greedy, **short}, {**sampled, **short}]
    return small + ([{"name": "full-english", "seed": 3, **FULL, "runs": runs}] if full else [])


def prepare(folder: Path, python: Path, *, full: bool) -> None:
    """Write what is to be computed, and have the package compute it."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(4)
    speaker = torch.nn.functional.normalize(torch.rand(256, generator=generator), dim=0)
    prompt = torch.randint(0, 6561, (150,), generator=generator)
    save_file({"speaker": speaker, "prompt": prompt}, folder / "voice.safetensors")
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    whole = torch.from_numpy(soxr.resample(audio, rate_hz, 16_000))
    silence = torch.zeros(9000)
    recordings = {"whole": whole, "short": whole[:12_000].clone()}
    recordings["silence around"] = torch.cat((silence, whole[:30_000], silence))
    save_file(recordings, folder / "recordings.safetensors")
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary()))
    (folder / "cases.json").write_text(json.dumps(cases(full=full)))
    weights = resemblyzer_weights()
    command = [str(python), str(REFERENCE), str(folder), *([str(weights)] if weights else [])]
    subprocess.run(command, check=True)


def resemblyzer_weights() -> Path | None:
    """Return the published weights that have the voice encoder's layout; None if not installed."""
    found = importlib.util.find_spec("resemblyzer")
    path = Path(found.origin).with_name("pretrained.pt") if found and found.origin else None
    return path if path and path.exists() else None


@torch.inference_mode()
def compare(folder: Path, *, full: bool) -> list[Row]:
    """Compute the same here."""
    torch.set_num_threads(1)
    rows = [*_compare_texts(folder), *_compare_vectors(folder)]
    said = load_file(folder / "voice.safetensors")
    for case in cases(full=full):
        t3 = load_t3(folder / f"{case['name']}.t3.safetensors")
        t3.tfmr.prepare()
        t3.speech_head.pack()
        for run in case["runs"]:
            expected = load_file(folder / f"{case['name']}-{run['name']}.safetensors")
            rows += _compare_run(t3, case["name"], run, said, expected)
    return rows


def _compare_texts(folder: Path) -> list[Row]:
    reader = TextVocabulary(folder / "vocabulary.json")
    expected = json.loads((folder / "ids.json").read_text())
    rows = []
    for (text, language), ids in zip(TEXTS, expected, strict=True):
        plain = normalised(text, multilingual=language is not None)
        same = reader.encode(plain, language)[1:-1] == ids
        verdict = f"same ({len(ids)})" if same else "DIFFERENT"
        name = f"text {language or 'english'}"
        rows.append(
            Row(case="text", run=name, stage="ids", difference=0, largest=0, tokens=verdict)
        )
    return rows


def _compare_vectors(folder: Path) -> list[Row]:
    encoder = load_voice_encoder(folder / "ve.safetensors")
    kind = "Resemblyzer's weights" if resemblyzer_weights() else "random weights"
    expected = load_file(folder / "vectors.safetensors")
    return [
        _row("voice encoder", f"{kind}, {name}", "vector", embed_speaker(encoder, audio), vector)
        for name, audio in load_file(folder / "recordings.safetensors").items()
        for vector in (expected[name],)
    ]


def _compare_run(
    t3: ChatterboxT3, case: str, run: dict, said: dict[str, Tensor], expected: dict[str, Tensor]
) -> list[Row]:
    voice = T3Voice(speaker=said["speaker"], prompt=said["prompt"], emotion=run["emotion"])
    conditioning = t3.condition(voice)
    logits: list[Tensor] = []
    attention: list[Tensor] = []
    tokens = decode_like(t3, run, conditioning, logits, attention)
    same = list(tokens) == expected["tokens"].tolist()
    verdict = f"same ({len(tokens)})" if same else "DIFFERENT"
    count = min(len(logits), len(expected["logits"]))
    computed = torch.stack(logits[:count])
    rows = [
        _row(case, run["name"], "conditioning", conditioning, expected["conditioning"]),
        _row(case, run["name"], "logits", computed, expected["logits"][:count], verdict),
    ]
    if attention:
        heard = torch.cat(attention)
        rows.append(_row(case, run["name"], "aligned heads", heard, expected["attention"]))
    return rows


def decode_like(
    t3: ChatterboxT3, run: dict, conditioning: Tensor, logits: list[Tensor], attention: list[Tensor]
) -> tuple[int, ...]:
    """Decode as the run says; append every step's logits (2, V) and attention to the text."""
    original, read = t3.logits, HeadProbe.attention

    def recorded(probe: HeadProbe) -> Tensor:
        heard = read(probe)
        # nothing is said before its time
        cut = heard.clone()
        cut[:, len(attention) + 1 :] = 0.0
        attention.append(cut)
        return heard

    t3.logits = lambda hidden: (logits.append(original(hidden)), logits[-1])[1]
    sampling = Sampling(
        temperature=0.0 if run["greedy"] else run["temperature"],
        top_p=run["top_p"],
        min_p=run["min_p"],
        repetition_penalty=run["repetition_penalty"],
    )
    how = T3Decoding(
        sampling=sampling,
        seed=run["seed"],
        cfg_weight=run["cfg_weight"],
        max_tokens=run["tokens"],
        alignment=t3.shape.text_tokens == SMALL_MULTILINGUAL["text_tokens"],
    )
    cache = make_cache(KVCacheKind.DYNAMIC, t3, rows=2, positions=600)
    with mock.patch.object(HeadProbe, "attention", recorded):
        try:
            text = torch.tensor(run["text"])
            return decode(t3, t3.tfmr, conditioning, text, cache, how).tokens
        finally:
            del t3.logits


def _row(
    case: str, run: str, stage: str, found: Tensor, expected: Tensor, tokens: str = "-"
) -> Row:
    assert found.shape == expected.shape, (case, run, stage, found.shape, expected.shape)
    difference = float((found - expected).abs().max())
    largest = float(expected.abs().max())
    return Row(
        case=case, run=run, stage=stage, difference=difference, largest=largest, tokens=tokens
    )


def table(rows: list[Row]) -> str:
    """Return the comparisons as Markdown."""
    lines = [
        "| checkpoint | run | stage | largest difference | of at most | tokens |",
        "| --- | --- | --- | ---: | ---: | --- |",
    ]
    lines += [
        f"| {row.case} | {row.run} | {row.stage} | {row.difference:.1e} | {row.largest:.2f} | "
        f"{row.tokens} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", type=Path, required=True, help="interpreter of chatterbox-tts")
    parser.add_argument("--full", action="store_true", help="also the published size, 2.1 GB")
    given = parser.parse_args(arguments)
    prepare(given.folder.absolute(), given.package, full=given.full)
    rows = compare(given.folder.absolute(), full=given.full)
    print(table(rows))
    return int(not all(row.agrees for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
