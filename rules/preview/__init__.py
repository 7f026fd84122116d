"""What a catalogue would change before it is in force: counted on copies, by the engine itself."""
