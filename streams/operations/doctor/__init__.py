"""`segue doctor`: everything that a deployment needs, looked at from where the command stands."""
