"""Real local engines with a model made on the spot, for the slow tests."""
