"""What to say, as frames: how long every phone lasts."""
