"""Tests of voxgate.engine.rvc."""
