"""From a log-mel spectrogram to a waveform."""
