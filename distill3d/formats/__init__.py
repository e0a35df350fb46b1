"""File formats: one file, one format, as pure functions between bytes and what they mean."""
