"""Deliver a channel's activation changes to HTTP endpoints, for platforms that do not read Kafka: `segue deliver`.

A change's way: `subscription` reads it from the channel's topic in a consumer group → `shapes` write it as the platform
wants it → `window` puts it into a request → `flights` have the request sent → `sender` repeats it until there is an
answer → `endpoint` posts it → `answers` says what the answer means. Then `commits` keep the progress in the group's
offsets; a change that was refused for good goes into the channel's dead-letter topic (`dead_letters`).

At least once: a change whose answer was lost goes again, with the same id.
"""
