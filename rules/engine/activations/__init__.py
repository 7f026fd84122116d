"""Activations decided: which members a channel may contact now, and with what (docs/language.md, Activations).

`rules.catalogue.activation` reads the definitions; here they are compiled (`plan`), asked what refuses a profile
(`refusals`, `sends`, `assignment`), given the slot of their group (`slots`), and turned into changes (`decide`,
`change`).
"""
