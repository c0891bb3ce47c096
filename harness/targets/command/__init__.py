"""A program as a target: started for each text, or kept alive and talked to by lines."""
