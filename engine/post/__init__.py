"""What happens to the waveform after the vocoder: trimming, level, joining of chunks. numpy only."""
