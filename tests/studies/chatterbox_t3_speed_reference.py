"""
The package's side of `chatterbox_t3_speed.py`: runs in an interpreter that sees chatterbox-tts
0.1.7, and imports nothing of this project. Writes its weights (`save`), or decodes once for every
line of stdin (`serve`).
"""

import json
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from chatterbox_t3_reference import make_t3, voice_of
from safetensors.torch import load_file, save_file


@torch.inference_mode()
def measure(t3: torch.nn.Module, said: dict, task: dict, tokens: int) -> dict:
    """Decode so many tokens as `ChatterboxTTS.generate` does, and count from the second one."""
    stamps: list[tuple[float, float]] = []
    original = t3.speech_head.forward

    def stamped(hidden: torch.Tensor) -> torch.Tensor:
        stamps.append((time.process_time(), time.perf_counter()))
        return original(hidden)

    t3.speech_head.forward = stamped
    torch.manual_seed(task["seed"])
    found = t3.inference(
        t3_cond=voice_of(said, 0.5),
        text_tokens=torch.tensor([task["text"], task["text"]]),
        # the package also computes what follows the last token
        max_new_tokens=tokens,
        top_p=1.0,
    )
    t3.speech_head.forward = original
    stamps = stamps[: found.shape[1]]
    (first_cpu, first_wall), (last_cpu, last_wall) = stamps[0], stamps[-1]
    count = len(stamps) - 1
    return {
        "cpu_ms": 1e3 * (last_cpu - first_cpu) / count,
        "wall_ms": 1e3 * (last_wall - first_wall) / count,
        "tokens": found[0].tolist(),
    }


def main(folder: Path, action: str) -> None:
    """Do one of the two."""
    torch.set_num_threads(1)
    task = json.loads((folder / "task.json").read_text())
    t3 = make_t3(task["case"])
    if action == "save":
        tensors = {name: value.contiguous() for name, value in t3.state_dict().items()}
        save_file(tensors, folder / "speed.t3.safetensors")
        return
    t3.load_state_dict(load_file(folder / "speed.t3.safetensors"))
    said = load_file(folder / "voice.safetensors")
    for line in sys.stdin:
        print(json.dumps(measure(t3, said, task, int(line))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
