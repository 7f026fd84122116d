"""Faults: real workers, Apache Kafka, Valkey and signals, and a checker that shares no code with the engine.

model     what a partition's input must give, written from docs/language.md for the few rules of the fault runs
checker   reads the output as an outside reader does, and asserts L0 D0 O0 C0 S0 Q0
stage     servers, one deployment a run, workers as processes, signals
traffic   seeded events: good, bad, repeated, late
proxy     a TCP proxy that delays, holds and drops
worker    a worker that dies or stands still at a named point, or has one safety switched off
families  the faults, by family; `table` lists them with their sizes
"""
