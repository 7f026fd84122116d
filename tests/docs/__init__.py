"""The pages: every link, command, setting, file name and example in them is held against the code."""
