"""What other policies would have cost, with the prompt caches modelled. Sends nothing."""
