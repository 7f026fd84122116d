"""Deliver a channel's activation changes to HTTP endpoints, for platforms that do not read Kafka: `segue deliver`.

The way of a change: `deliverer` reads the channel's topic in a consumer group → `shapes` write it as the platform wants
it → `plan` decides what goes into which request → `endpoint` sends it → `answers` says what an answer means → progress
into the group's offsets, or the change into the channel's dead-letter topic.

At least once: a change whose answer was lost goes again, with the same id.
"""
