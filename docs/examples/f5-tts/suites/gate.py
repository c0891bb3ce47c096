"""What do fewer steps of F5-TTS buy, and what do they cost?"""

from voxgate import Suite

suite = Suite(
    target="f5_target:F5Target",
    environment=".venv",
    workload="sentences.toml",
    fixed={
        # Paths are relative to this project.
        "weights": "weights/model_1250000.safetensors",
        "vocoder": "weights/vocos-mel-24khz",
        "ref_audio": "prompt.wav",
        "ref_text": "I am the voice that is to be spoken with.",
    },
    axes={"nfe_step": [32, 16]},
)
