"""What does another runtime buy, model by model: torch eager, torch.compile, ONNX Runtime?"""

from voxgate import Suite

suite = Suite(
    pipeline="flow",
    workload="everyday-short",
    cells=[
        {"runtime_acoustic": "torch", "runtime_vocoder": "torch"},
        {"compile": "default", "compile_vocoder": "default"},
        {"runtime_acoustic": "onnx", "runtime_vocoder": "torch"},
        {"runtime_acoustic": "torch", "runtime_vocoder": "onnx"},
        {"runtime_acoustic": "onnx", "runtime_vocoder": "onnx"},
    ],
    fixed={"nfe_steps": 8},
    reference={"runtime_acoustic": "torch", "runtime_vocoder": "torch"},
    repeats=3,
)
