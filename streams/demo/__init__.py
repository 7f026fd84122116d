"""`segue demo`: the whole system on this machine, on the real servers, with everything it claims checked at the end.

`play` is the order of things. `sources` is what is played in, `stage` the servers, topics, catalogue and workers,
`load` the sender, `arrivals` the reader of changes and what is measured of them, `figures` what is known at the moment;
`screen` and `lines` show that, on a terminal and elsewhere; `check` and `naive` judge what was published.
"""
