"""The load of the benchmarks: the segments as plain data, the events, and the catalogue that Segue makes of them.

`plan` and `events` import the standard library only: an engine that is not Segue uses the same load. `catalogue` turns
the plain data into Segue's files. Everything is a function of its arguments: the same arguments give the same bytes.
"""
