"""
How fast does T3 decode here, beside chatterbox-tts 0.1.7 with the same weights?

`python -m tests.studies.chatterbox_t3_speed FOLDER --package PYTHON [--layers 30] [--tokens 60]`

PYTHON is an interpreter that sees chatterbox-tts 0.1.7. Each way of decoding is a process of its
own with one thread; they take turns, round by round, so that a loaded machine slows all of them.
Times are CPU seconds of the process and wall time, per token, without the prefix; ratios are of
the same round. Tokens of all ways in fp32 must be equal. Prints a Markdown table, and what part of
the machine's read bandwidth is reached; ends with 1 if tokens differ.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgate.engine.chatterbox.checkpoint import load_t3
from voxgate.engine.chatterbox.t3 import START_TEXT, STOP_TEXT, ChatterboxT3, T3Voice
from voxgate.engine.chatterbox.t3_decoding import T3Decoding, decode, make_cache
from voxgate.engine.config import KVCacheKind
from voxgate.engine.tokens.sampling import Sampling

REFERENCE = Path(__file__).with_name("chatterbox_t3_speed_reference.py")
PACKAGE = "chatterbox-tts"
EXACT = {"fp32", "fp32, static", "fp32, no cache", PACKAGE}
SIZES = {"width": 1024, "hidden": 4096, "text_tokens": 704, "name": "speed", "seed": 3}
READ_BYTES = 2**29
WARM_UP_TOKENS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One decoding by one way: milliseconds per token, and the tokens."""

    cpu_ms: float
    wall_ms: float
    tokens: tuple[int, ...]


def prepare_t3(t3: ChatterboxT3, way: str) -> ChatterboxT3:
    """Make a loaded model ready to decode in one way."""
    t3.tfmr.join()
    if way == "bf16":
        t3.to(torch.bfloat16)
    if way == "int8":
        t3.tfmr.quantize()
        t3.speech_head.quantize()
    elif way != "plain":
        t3.tfmr.pack()
        t3.speech_head.pack()
    return t3


def serve(folder: Path, way: str) -> None:
    """Decode once for every line of stdin, and answer with a line of JSON."""
    torch.set_num_threads(1)
    task = json.loads((folder / "task.json").read_text())
    said = load_file(folder / "voice.safetensors")
    t3 = prepare_t3(load_t3(folder / "speed.t3.safetensors"), way)
    voice = T3Voice(speaker=said["speaker"], prompt=said["prompt"])
    for line in sys.stdin:
        print(json.dumps(measure(t3, voice, task, way, int(line))), flush=True)


@torch.inference_mode()
def measure(t3: ChatterboxT3, voice: T3Voice, task: dict, way: str, tokens: int) -> dict:
    """Decode so many tokens, and count from the second one."""
    stamps: list[tuple[float, float]] = []
    original = t3.logits

    def stamped(hidden: Tensor) -> Tensor:
        stamps.append((time.process_time(), time.perf_counter()))
        return original(hidden)

    t3.logits = stamped
    kind = KVCacheKind.OFF if way.endswith("no cache") else KVCacheKind.DYNAMIC
    kind = KVCacheKind.STATIC if way.endswith("static") else kind
    cache = make_cache(kind, t3, rows=2, positions=1024)
    how = T3Decoding(sampling=Sampling(), seed=task["seed"], max_tokens=tokens)
    text = torch.tensor(task["text"])
    decoded = decode(t3, t3.tfmr, t3.condition(voice), text, cache, how)
    return {**per_token(stamps), "tokens": decoded.tokens}


def per_token(stamps: list[tuple[float, float]]) -> dict[str, float]:
    """Return the time of one token, of stamps at each."""
    (first_cpu, first_wall), (last_cpu, last_wall) = stamps[0], stamps[-1]
    count = len(stamps) - 1
    return {
        "cpu_ms": 1e3 * (last_cpu - first_cpu) / count,
        "wall_ms": 1e3 * (last_wall - first_wall) / count,
    }


def prepare(folder: Path, python: Path, layers: int) -> None:
    """Have the package write its random weights, and say what is to be decoded."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(4)
    speaker = torch.nn.functional.normalize(torch.rand(256, generator=generator), dim=0)
    prompt = torch.randint(0, 6561, (150,), generator=generator)
    save_file({"speaker": speaker, "prompt": prompt}, folder / "voice.safetensors")
    said = torch.randint(10, 90, (30,), generator=generator).tolist()
    task = {"case": {**SIZES, "layers": layers}, "text": [START_TEXT, *said, STOP_TEXT], "seed": 7}
    (folder / "task.json").write_text(json.dumps(task))
    subprocess.run([str(python), str(REFERENCE), str(folder), "save"], check=True)


def start(folder: Path, python: Path, way: str) -> "subprocess.Popen[str]":
    """Start the process of one way."""
    own = [sys.executable, "-m", "tests.studies.chatterbox_t3_speed", str(folder), "--way", way]
    theirs = [str(python), str(REFERENCE), str(folder), "serve"]
    return subprocess.Popen(
        theirs if way == PACKAGE else own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def ask(process: "subprocess.Popen[str]", tokens: int) -> Turn:
    """Have one process decode once."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{tokens}\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    return Turn(**{**answer, "tokens": tuple(answer["tokens"])})


def run_rounds(
    folder: Path, python: Path, ways: list[str], tokens: int, rounds: int
) -> dict[str, list[Turn]]:
    """Start all ways, one after the other, warm them up, and let them take turns."""
    processes: dict[str, subprocess.Popen[str]] = {}
    turns: dict[str, list[Turn]] = {way: [] for way in ways}
    try:
        for way in ways:
            processes[way] = start(folder, python, way)
            # loading takes twice the memory of the weights, so not all at once
            ask(processes[way], WARM_UP_TOKENS)
        for number in range(rounds):
            for way in ways if number % 2 else reversed(ways):
                turns[way].append(ask(processes[way], tokens))
    finally:
        for process in processes.values():
            process.communicate()
    return turns


def read_bandwidth() -> float:
    """Return the bytes per second that one thread reads: the fastest of ten sums of 0.5 GB."""
    torch.set_num_threads(1)
    memory = torch.ones(READ_BYTES // 4)
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        memory.sum()
        seconds.append(time.perf_counter() - begin)
    return READ_BYTES / min(seconds)


def weights_bytes(layers: int, way: str) -> int:
    """Return the bytes of the matrices that every token reads."""
    width, hidden = SIZES["width"], SIZES["hidden"]
    assert isinstance(width, int) and isinstance(hidden, int)
    count = layers * (4 * width * width + 3 * width * hidden) + 8194 * width
    return count * {"bf16": 2, "int8": 1}.get(way, 4)


def table(turns: dict[str, list[Turn]], layers: int, base: str) -> str:
    """Return the times per token, the ratio to `base`, and the bytes read per second."""
    lines = [
        f"| way | CPU ms per token | wall ms per token | {base} / way, CPU [min max] | "
        "weights read, GB/s | tokens |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for way, mine in turns.items():
        ratios = [b.cpu_ms / m.cpu_ms for b, m in zip(turns[base], mine, strict=True)]
        cpu_ms = statistics.median(turn.cpu_ms for turn in mine)
        wall_ms = statistics.median(turn.wall_ms for turn in mine)
        rate = weights_bytes(layers, way) / cpu_ms / 1e6
        same = "same" if mine[-1].tokens == turns[base][-1].tokens else "others"
        lines.append(
            f"| {way} | {cpu_ms:.1f} | {wall_ms:.1f} | {statistics.median(ratios):.2f} "
            f"[{min(ratios):.2f} {max(ratios):.2f}] | {rate:.1f} | {same} |"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", type=Path, help="interpreter of chatterbox-tts")
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", default=f"{PACKAGE};fp32;fp32, static;bf16;int8")
    parser.add_argument("--way", help="of a process that serves")
    given = parser.parse_args(arguments)
    if given.way:
        serve(given.folder, given.way)
        return 0
    prepare(given.folder, given.package, given.layers)
    ways = given.ways.split(";")
    turns = run_rounds(given.folder, given.package, ways, given.tokens, given.rounds)
    print(table(turns, given.layers, ways[0]))
    print(f"\nOne thread reads {read_bandwidth() / 1e9:.1f} GB/s.")
    exact = [turns[way][-1].tokens for way in ways if way in EXACT]
    return int(any(tokens != exact[0] for tokens in exact))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
