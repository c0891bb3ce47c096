"""Chatterbox in its published layout: T3, voice encoder, S3 tokeniser, CAMPPlus, flow, HiFT."""
