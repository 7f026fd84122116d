"""Bytes on topics: change records, progress, payloads, topics, the AsyncAPI document."""
