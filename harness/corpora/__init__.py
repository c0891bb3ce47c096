"""Folders of recordings and texts that no suite made: found, scored, and compared as systems."""
