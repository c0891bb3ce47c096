"""
The published JSON Schemas of voxgate's documents, written by `python -m harness.records.schemas`.
"""
