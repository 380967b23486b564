"""Live: what wakes watchers (bus) and what feeds them (hubs)."""
