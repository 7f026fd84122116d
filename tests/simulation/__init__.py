"""The simulation: the real code of claims, publishing, replay and checkpoints over the models of log and store.

    protocol   claims, publisher and checkpoints under a scheduler that interleaves single requests: lost, late and
               repeated ones, markers written one by one, time-outs, kills, zombies, rollbacks
    storms     the whole worker, engine included, under kills, reassignments, thieves, lost replies, rollbacks and cuts
    persons    the same with links and erasures: persons of several subjects in several partitions
    steps      a worker that dies at each request from a link to what it brings

One seed is one run. The same seed gives the same run, step by step.
"""
