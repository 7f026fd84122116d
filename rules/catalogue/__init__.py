"""Catalogues: segments, activations, policy, the logic of rules; loading and comparing them."""
