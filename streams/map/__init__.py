"""The message map for people: its words, and its page. What is on it: `rules.message_map`."""
