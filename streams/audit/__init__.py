"""Looks at a deployment from outside, from its log alone: verify, rebuild, dump."""
