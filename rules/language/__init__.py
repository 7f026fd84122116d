"""Reading definitions: problems with their places, validation, operators, the dictionary."""
