"""`segue bundle`: a file without personal data for a support request."""
