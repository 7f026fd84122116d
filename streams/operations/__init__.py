"""What a person or a program can ask of a deployment; no terminal in here."""
