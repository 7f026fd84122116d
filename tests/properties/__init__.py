"""Laws that hold for random catalogues and random histories: the engine says what the naive evaluator says."""
