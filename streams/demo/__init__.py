"""`segue demo`: the whole system on this machine, on the real servers, with everything it claims checked at the end.

`main` runs it, `play` is the order of things: `sources` is what is played in; `stage` the servers, topics, catalogue
and workers; `load` the sender; `listening` the reader of changes; `kill` the kill half-way. `arrivals` measures the
changes, `figures` is what is known at the moment; `screen` and `lines` show it, on a terminal and elsewhere. `judging`
has `check` and `naive` check the published changes; `outcome` holds the result, `summary` words it.
"""
