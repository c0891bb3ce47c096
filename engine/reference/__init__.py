"""The recording whose voice is to be spoken in: read, checked, trimmed, and remembered by its content."""
