"""One person under several subjects: what a link brings, what goes on to another profile, what an erasure takes."""
