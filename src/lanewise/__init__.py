"""Lanewise: a router for the traffic of AI coding agents."""

__version__ = "0.1.0"
