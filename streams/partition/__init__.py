"""The time of one owner with one partition, from the claim to the hand-over."""
