"""What activation promises, shown at size on real servers with real workers; small sizes of it run with the suite.

    python -m tests.shows journeys      10,000 profiles in overlapping journeys of one group, a worker killed with -9
    python -m tests.shows withdrawals   10,000 races of a withdrawal with the event that would activate

Beside its own claim each holds the whole output against the checker of the fault runs (`tests.faults`).
"""
