"""The web viewer: its server, its protocol, and the page that `viewer/` is built into (static/)."""
