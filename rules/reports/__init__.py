"""Reports over a catalogue: lineage, message map, what begins without history."""
