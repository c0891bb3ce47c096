"""The commands of `python -m voxgate.engine` that have a module of their own."""
