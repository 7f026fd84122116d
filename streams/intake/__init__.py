"""Events in: the Faust application and its consumer, batches, decoding, guards, the queue of a partition."""
