"""The process that runs partitions."""
