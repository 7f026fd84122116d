"""Why a profile is in or out, active or not, in words."""
