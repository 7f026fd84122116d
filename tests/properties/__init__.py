"""Laws for random catalogues and random histories: the engine and the naive evaluator give the same answers."""
