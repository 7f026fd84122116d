"""Delivery to HTTP endpoints: the pure parts by laws, the whole against a platform that refuses and fails."""
