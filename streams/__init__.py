"""Does: Kafka, Redis, Faust, web, command line. Imports `rules`, never the other way."""
