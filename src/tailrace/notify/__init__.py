"""Finished and waiting runs → people, other programs, commit statuses."""
