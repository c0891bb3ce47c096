"""The HTTP server, with OpenAI's speech API: `python -m voxgate.engine serve`."""
