"""
Makes a throw-away copy of this repository with twelve more commits, two of them bad: what
`voxgate bisect` is to find.

    python tests/studies/plant_culprits.py FOLDER
    cd FOLDER && voxgate bisect HEAD~12 HEAD smoke --cell nfe_steps-8

The fourth commit does extra work in the vocoder, about 8 % of what 8 solver steps take in all; the
ninth makes the voice duller. All others change a note. The extra work is real: passes through the
vocoder's backbone whose result is thrown away.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW = (
    "engine/vocoder/vocos.py",
    "        projected: Tensor = self.head(self.backbone(mel, mask))\n",
    "        for _ in range(3):\n            self.backbone(mel, mask)\n"
    "        projected: Tensor = self.head(self.backbone(mel, mask))\n",
)
DULL = (
    "engine/pipelines/flow.py",
    "        return (mel * self.voice.mel_std + self.voice.mel_mean)",
    "        return (mel * self.voice.mel_std * 0.9 + self.voice.mel_mean)",
)
CULPRITS = {4: ("A richer vocoder", SLOW), 9: ("A softer voice", DULL)}
COMMITS = 12


def main(folder: Path) -> None:
    """Copy and commit."""
    _git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    for number in range(1, COMMITS + 1):
        subject, change = CULPRITS.get(number, (f"Note {number}", None))
        with (folder / "notes.txt").open("a") as notes:
            notes.write(f"{subject}\n")
        if change is not None:
            path, old, new = folder / change[0], change[1], change[2]
            text = path.read_text()
            assert text.count(old) == 1, f"{path} no longer has exactly one {old!r}"
            path.write_text(text.replace(old, new))
        _git(folder, "add", "--all")
        _git(
            folder,
            "-c",
            "user.name=Nobody",
            "-c",
            "user.email=nobody@example.org",
            "commit",
            "--quiet",
            "-m",
            subject,
        )


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
