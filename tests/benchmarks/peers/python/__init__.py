"""The peers that are written in Python, each in the design that its guide shows and in its best one.

`peers` lists them. `wire` reads events and writes changes, `segments` is the load's plain data as objects, `evaluator`
keeps one profile; these three import the standard library and orjson only. A peer's module runs in an environment of
its own, with the packages of requirements.txt and without Segue (`make peers` makes it). What a peer is told stands in
`told`.
"""
