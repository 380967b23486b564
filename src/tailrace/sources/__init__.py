"""Where events and plan files come from: forges' payloads, and mirrors of repositories."""
