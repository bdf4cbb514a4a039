"""Real agents against a scripted upstream; see `test_agents.py`."""
