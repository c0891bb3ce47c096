"""
The published JSON Schemas of voxgate's documents, written by `python -m
voxgate.harness.records.schemas`.
"""
