"""The kinds of Teacher: each looks at renderings and says how they are wrong."""
