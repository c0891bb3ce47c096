"""How long every phone lasts: from phones to what every mel frame is to say."""
