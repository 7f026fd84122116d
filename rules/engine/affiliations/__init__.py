"""Who is tied to an organisation, and what its events tell to them (docs/language.md, Affiliations)."""
