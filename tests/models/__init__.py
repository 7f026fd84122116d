"""In-memory models of the log and the store. Nothing that ships imports them."""
