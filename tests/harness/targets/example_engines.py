"""The examples whose engine is a Python package, and their projects with the real engine."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.targets import tiny_voices
from voxgate.harness.records.cell import Option

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[2] / "docs" / "examples"


@dataclass(frozen=True)
class Engine:
    """An example whose engine is a Python package."""

    example: str
    target: str
    module: str
    options: dict[str, Option] = field(default_factory=dict)
    """For the fake: options that differ from the default."""
    ignored: dict[str, Option] = field(default_factory=dict)
    """Option -> the value that a broken engine puts in its place."""
    flags: str = ""
    """Module of the fake that holds `IGNORED`, if it is not the first."""
    prepare: Callable[[Path], None] | None = None
    """Writes the weights of the fake into the working directory."""
    missing: dict[str, Option] = field(default_factory=dict)
    """An option with a path at which nothing is."""
    cells: str = "*"
    """That the real engine is measured in."""
    untrained: str = ""
    """Kind of weights that the real engine gets; its target is then made small."""

    @property
    def variable(self) -> str:
        return f"VOXGATE_TEST_{self.example.partition('-')[0].upper()}"


def f5_prompt(folder: Path) -> None:
    (folder / "prompt.wav").touch()


def chatterbox_weights(folder: Path) -> None:
    (folder / "weights").mkdir()
    (folder / "weights" / "t3_cfg.safetensors").touch()


def piper_voice(folder: Path) -> None:
    tiny_voices.write_piper_voice(folder / "voice.onnx")


ENGINES = {
    engine.example: engine
    for engine in (
        Engine(
            example="piper",
            target="piper_target:PiperTarget",
            module="piper",
            options={"voice": "voice.onnx", "length_scale": 1.3, "noise_w_scale": 0.0},
            ignored={"length_scale": 1.0, "noise_scale": 0.0, "noise_w_scale": 0.8},
            missing={"voice": "nowhere.onnx"},
            prepare=piper_voice,
        ),
        Engine(
            example="kokoro-onnx",
            target="kokoro_target:KokoroTarget",
            module="kokoro_onnx",
            options={"speed": 1.3},
            ignored={"speed": 1.0, "speaker": "am_adam"},
            missing={"voices": "nowhere.bin"},
            prepare=tiny_voices.write_kokoro,
        ),
        Engine(
            example="f5-tts",
            target="f5_target:F5Target",
            module="f5_tts",
            options={"nfe_step": 4, "cfg_strength": 1.5, "speed": 1.2},
            ignored={"nfe_step": 32, "cfg_strength": 0.0, "speed": 1.0, "seed": None},  # type: ignore[dict-item]
            missing={"weights": "nowhere.safetensors"},
            prepare=f5_prompt,
            flags="f5_tts.api",
            untrained="f5",
        ),
        Engine(
            example="chatterbox",
            target="chatterbox_target:ChatterboxTarget",
            module="chatterbox",
            options={"cfg_weight": 0.3, "temperature": 0.5, "exaggeration": 0.7},
            ignored={"cfg_weight": 0.5, "temperature": 0.8, "exaggeration": 0.5, "seed": 3},
            missing={"weights": "nowhere"},
            prepare=chatterbox_weights,
            flags="chatterbox.models.t3.t3",
            cells="default",  # the decoder has its full size: minutes for each
            untrained="chatterbox",
        ),
    )
}


def project_of(engine: Engine, folder: Path, environment: str) -> None:
    """Copy an example, with its environment and, where needed, untrained weights."""
    shutil.copytree(EXAMPLES / engine.example, folder, dirs_exist_ok=True)
    (folder / ".venv").symlink_to(environment)
    if engine.example == "kokoro-onnx":
        tiny_voices.write_kokoro(folder)
    if engine.untrained:
        python, script = folder / ".venv" / "bin" / "python", HERE / "untrained.py"
        command = [str(python), "-I", str(script), engine.untrained, str(folder)]
        subprocess.run(command, check=True, cwd=folder)
        suite = folder / "suites" / "gate.py"
        suite.write_text(suite.read_text().replace(engine.target, "small:Small"))
