"""
Writes the shipped workloads from the engine's held-out sentences: `python tests/harness/make_workloads.py`.

The harness knows no engine, so its workloads are a copy; `test_workload.py` fails when the two differ. A sentence keeps
its number (u001 is line 1) and its speaker in every workload.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
SENTENCES = ROOT / "engine" / "training" / "heldout.txt"
FOLDER = ROOT / "harness" / "workloads"
SPEAKERS = ("rms", "slt")  # even numbers, odd numbers

SMOKE = (1, 2, 18, 29, 37, 40, 44, 55)
SHORT = tuple(sorted((*SMOKE, 4, 27, 32, 49, 54, 60, 67, 78, 85, 96, 103, 119, 132, 150, 161, 175)))
CHOICE = {
    "smoke": ("Eight short sentences, two voices: enough to see that something broke.", SMOKE),
    "everyday-short": ("24 everyday sentences of 2 to 5 seconds, two voices.", SHORT),
    "everyday-200": ("All 200 held-out everyday sentences, two voices.", range(1, 201)),
}


def workload_text(name: str) -> str:
    """Give the whole file of one workload."""
    about, numbers = CHOICE[name]
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    tables = [
        f'[[request]]\nid = "u{number:03}"\ntext = {json.dumps(sentences[number - 1])}\nspeaker = "{SPEAKERS[number % 2]}"\n'
        for number in numbers
    ]
    return f"# {about}\n# Made by tests/harness/make_workloads.py from engine/training/heldout.txt.\n\n" + "\n".join(tables)


if __name__ == "__main__":
    for each in CHOICE:
        (FOLDER / f"{each}.toml").write_text(workload_text(each), encoding="utf-8")
