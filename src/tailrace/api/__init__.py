"""The server's face: REST, webhooks, watching, agents."""
