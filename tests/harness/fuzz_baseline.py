"""
Damages baseline files, and reads them: what comes out is a baseline or one HarnessError.

    python -m tests.harness.fuzz_baseline --inputs 20000 --seed 1
"""

import argparse
import copy
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.harness.kill_accept import Trial
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline_file import parse

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 2**64, 1e308, -0.0, float("nan"), float("inf"), "", "../x",
    "\ud800", "\x00", "a" * 300,
    [], {}, [[]], {"missing": "x"}, {"missing": 5}, [None], {"": None},
)  # fmt: skip
TEXTS = ("NaN", "1e999", "-", "9" * 400, "[" * 3000, "\\ud800", "\n", *'{}[]",:')
SPLICES = (b"\xff", b"\x00", *(text.encode() for text in TEXTS))


def damaged(whole: dict[str, Any], chance: random.Random) -> bytes:
    """
    Return the bytes of a baseline file with one to three faults: in its values, or in its text.
    """
    data = copy.deepcopy(whole)
    if chance.random() < 0.6:
        for _ in range(chance.randint(1, 3)):
            _replace(data, chance)
    content = json.dumps(data, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    if chance.random() < 0.5:
        return content
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(content) + 1)
        cut = chance.choice((0, 0, 1, 7, len(content)))
        content = content[:place] + chance.choice((b"", *SPLICES)) + content[place + cut :]
    return content


def fuzz(inputs: int, seed: int, folder: Path) -> Counter[str]:
    """Read as many damaged files; anything but a HarnessError of one line is raised."""
    trial, chance, found = Trial(folder), random.Random(seed), Counter[str]()
    wholes = [json.loads(path.read_text()) for path in sorted(trial.baselines.rglob("*.json"))]
    for _ in range(inputs):
        content = damaged(chance.choice(wholes), chance)
        try:
            parse(content.decode(), "quality.json")
            found["read"] += 1
        except UnicodeDecodeError:
            found["no text"] += 1
        except HarnessError as error:
            assert str(error).startswith("quality.json"), error
            str(error).encode()
            found["refused"] += 1
    return found


def _replace(data: Any, chance: random.Random) -> None:
    """Put something odd somewhere into nested data: a value, a key, or one more entry."""
    while True:
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(data[key], dict | list) and data[key] and chance.random() < 0.8:
            data = data[key]
            continue
        break
    kind = chance.random()
    if isinstance(data, dict) and kind < 0.2:
        data[chance.choice(("", "x", "../x", "\ud800", key))] = data.pop(key)
    elif kind < 0.3:
        del data[key]
    else:
        data[key] = copy.deepcopy(chance.choice((*ODD, data[keys[0]])))


def main() -> int:
    """Fuzz, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(options.inputs, options.seed, Path(folder) / "trial")
    print(
        f"{options.inputs} inputs, seed {options.seed}: {dict(found)}, 0 faults in "
        f"{time.perf_counter() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
