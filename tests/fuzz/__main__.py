"""
    python -m tests.fuzz --inputs 300000                  all kinds, by their shares
    python -m tests.fuzz --seconds 60 --kind "run folders" --seed 7

Prints one line a kind, ends with 1 where there is a fault, and keeps its smallest input below
--save.
"""

import argparse
import json
import sys
from pathlib import Path

from tests.fuzz.driver import Tally, fuzz
from tests.fuzz.kinds import KINDS, shares

SAVE = Path("build/fuzz")


def main() -> int:
    """Fuzz as asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--inputs", type=int, default=None, help="of all kinds together; 10000 unless given"
    )
    amount.add_argument("--seconds", type=float, default=None, help="of all kinds together")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="only this; repeat")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--save", type=Path, default=SAVE, help="folder for the first inputs of faults"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    chosen = options.kind or list(KINDS)
    wanted = (
        shares(options.inputs or 10_000)
        if options.kind is None
        else dict.fromkeys(chosen, options.inputs or 10_000)
    )
    tallies = []
    for name in chosen:
        seconds = None if options.seconds is None else options.seconds / len(chosen)
        inputs = None if seconds is not None else wanted[name]
        tallies.append(
            fuzz(KINDS[name], options.seed, inputs=inputs, seconds=seconds, save=options.save)
        )
        print(line(tallies[-1]), flush=True)
    faults = sum(len(each.faults) for each in tallies)
    print(f"{sum(each.inputs for each in tallies)} inputs, {faults} faults, seed {options.seed}")
    if options.json is not None:
        options.json.write_text(json.dumps([each.to_json() for each in tallies], indent=1))
    return 1 if faults else 0


def line(tally: Tally) -> str:
    """Say what became of a kind, with its faults below."""
    told = (
        f"{tally.kind}: {tally.inputs} inputs, {tally.read} read, {tally.refused} refused, "
        f"{tally.seconds:.1f} s"
    )
    faults = [
        f"  FAULT {each.place} ({tally.counts[each.place]} times): {each.words}\n    "
        f"{each.first[:300]!r}"
        for each in tally.faults
    ]
    return "\n".join([told, *faults])


if __name__ == "__main__":
    sys.exit(main())
