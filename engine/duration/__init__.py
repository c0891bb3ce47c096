"""The duration model: from phone ids to the conditioning of every mel frame."""
