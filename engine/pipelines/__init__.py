"""The compositions of stages into an engine; each names its stages, all share one protocol."""
