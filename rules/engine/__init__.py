"""The engine: decode, fold, evaluate, in the one canonical order."""
