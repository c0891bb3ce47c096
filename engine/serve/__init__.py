"""The engine behind HTTP, as OpenAI's speech API has it: `python -m engine serve`."""
