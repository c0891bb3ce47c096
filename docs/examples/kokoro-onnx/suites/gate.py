"""What does a faster kokoro cost?"""

from voxgate import Suite

suite = Suite(
    target="kokoro_target:KokoroTarget",
    environment=".venv",
    workload="sentences.toml",
    # Of the releases of kokoro-onnx; paths are relative to this project.
    fixed={"model": "kokoro-v1.0.onnx", "voices": "voices-v1.0.bin", "speaker": "af_sarah"},
    axes={"speed": [1.0, 1.3]},
)
