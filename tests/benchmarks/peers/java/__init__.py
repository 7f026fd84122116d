"""The peers that are written in Java, Kafka Streams and Flink: `peers` lists them, `launch` starts one.

Their jars and a compiler stand in two lock files; `jars` gets them and compiles. `common/` has one evaluator of the
load's segments for both; `streams/` and `flink/` have the two designs of each.
"""
