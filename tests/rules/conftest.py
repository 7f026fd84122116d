"""Properties are judged by what they find, never by how long an example takes on a busy machine."""

from hypothesis import settings

settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")
