"""The recipe of the embedded voice: one command, seeded, resumable. Not used at run time."""
