"""What Segue needs past one machine: a model of costs from measured parts, and runs on loopback that test the model."""
