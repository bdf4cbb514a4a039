"""Offline learning from labelled turns: what makes the artefacts that layer 1 reads. Never on the request path."""
