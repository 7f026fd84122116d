"""What everything else stands on: instants, values, events, reasons, JSON text, digests, partitioning."""
