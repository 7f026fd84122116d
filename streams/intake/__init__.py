"""Events in: the Faust application and its consumer, decoding, guards, and the queue of each partition."""
