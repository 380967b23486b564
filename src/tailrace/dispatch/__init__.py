"""From pending to leased, and from lapsed to pending or lost."""
