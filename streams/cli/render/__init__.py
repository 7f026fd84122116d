"""Text for people: tables, sentences, pages."""
