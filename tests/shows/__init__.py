"""Show that activation keeps its promises, at full size, on real servers with real workers. Small sizes run as tests.

    python -m tests.shows journeys      10,000 profiles in overlapping journeys of one group, a worker killed with -9
    python -m tests.shows withdrawals   10,000 races of a withdrawal with the event that would activate

Each checks its own claim, and compares the whole output with the checker of the fault runs (`tests.faults`).
"""
