"""Finding subjects that may be one person or one organisation, offline; a data steward decides.

Exports of several sources are read (`exports`), their names, addresses and numbers normalised (`normal`), pairs scored
by Splink (`scores`), and written as a table (`table`). What the steward accepted becomes link events (`persons`,
`link_events`).
The engine takes no part in this: for it, two subjects are one person because an event says so.
"""
