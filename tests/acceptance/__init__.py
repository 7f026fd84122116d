"""Every command as people and programs use it: in its own process, against real servers."""
