"""From events to runs."""
