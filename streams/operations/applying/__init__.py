"""The parts of `segue apply`: its checks, its options, its steps. `streams.operations.apply` puts them together."""
