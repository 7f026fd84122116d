"""What worker and deliverer tell Prometheus: the list of names, counts, histograms, and the page /metrics."""
