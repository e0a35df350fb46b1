"""The kinds of Judge."""
