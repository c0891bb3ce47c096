"""Files by which a system tells of its hardware: of boards and kernels nobody here has seen."""

import json
import random
import re
from pathlib import Path

from tests.fuzz import mutate
from tests.fuzz.driver import FaultError
from tests.harness.machine.trees import agx_orin, orin_nano, thor, virtual, workstation
from voxgate.harness.machine.doctor import examine, snapshot
from voxgate.harness.machine.identity import machine_of
from voxgate.harness.machine.profiles import PROFILES
from voxgate.harness.machine.quietness import fitness
from voxgate.harness.records.environment import environment_from_json
from voxgate.harness.report.terminal import examination_lines, examination_to_dict

WORDS = (
    "max", "-1", "0", "N/A", "<unsupported>", "9" * 30, "9" * 5000, "1.5e9", "nan", "inf", "-inf",
    "kB", "é", "\x00", "\n", "١٢", "0x1f", "1-3,5", "0-", "1-999999999999", ":", "=", "<", ">",
    "on", "",
)  # fmt: skip
TOKEN = re.compile(r"[\w.+-]+|[^\w\s]")


class Machines:
    """Input: the name of a made-up machine, of a file of it, and what stands in that."""

    name, share = "files of the system", 1.0

    def __init__(self, folder: Path) -> None:
        made = (agx_orin, orin_nano, thor, workstation, virtual)
        self._trees = {make.__name__: make(folder / make.__name__) for make in made}
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self._folder = folder
        self._profiles = [make() for make in PROFILES.values()]

    def make(self, chance: random.Random) -> bytes:
        name = chance.choice(sorted(self._files))
        return name.encode() + b"\n" + _other(self._files[name], chance)

    def read(self, content: bytes) -> None:
        line, _, damaged = content.partition(b"\n")
        name = line.decode("latin-1")
        if name not in self._files:
            return
        (self._folder / name).write_bytes(damaged)
        try:
            self._examine(name.partition("/")[0], len(damaged))
        finally:
            (self._folder / name).write_bytes(self._files[name])

    def names(self, refusal: str) -> bool:
        return False  # whatever a system says of itself, it is examined

    def _examine(self, machine: str, size: int) -> None:
        tree = self._trees[machine]
        facts = machine_of(tree)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}", str(facts["id"])):
            raise FaultError("a machine that can name no file", str(facts["id"])[:200])
        before = snapshot(tree)
        fitness(environment_from_json({"machine": facts, "before": before, "after": before}))
        json.dumps([facts, before], allow_nan=False).encode()
        profile = self._profiles[size % len(self._profiles)]
        found = examine(profile.name, str(facts["id"]), profile.requires, tree, lambda: None)
        json.dumps(examination_to_dict(found), allow_nan=False)
        examination_lines(found)


def _other(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return mutate.broken(content, chance)
    text = content.decode("utf-8", "replace")
    for _ in range(chance.randint(1, 3)):
        tokens = list(TOKEN.finditer(text))
        if not tokens:
            break
        token = chance.choice(tokens)
        text = text[: token.start()] + chance.choice(WORDS) + text[token.end() :]
    return text.encode("utf-8", "surrogatepass")
