"""Filling in the history of a cut (docs/operations/changing-rules.md): reading the log, keeping to a pace, writing.

`past` reads a partition up to a cut, `selection` picks the events that count, `gathered` keeps them by subject within a
limit of memory, `histories` makes records of them, `pace` holds these back for live events, and `filler` does all of
that for one cut of one partition. `before_first` reads which links and erasures came before the first catalogue.
`settling` waits for the workers before the fills are ended.
"""
