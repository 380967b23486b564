"""The process that carries one attempt; it outlives its agent."""
