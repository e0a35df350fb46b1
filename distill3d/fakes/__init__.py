"""The kinds of Fake: what a method believes of the scene's own pictures."""
