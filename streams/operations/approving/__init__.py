"""Approvals bound to content: keys of people, signatures over definitions, and the ruling on what is approved."""
