"""From the frames of agents to logs, store and bus."""
