"""Every command as people and programs use it: a process of its own, against real servers."""
