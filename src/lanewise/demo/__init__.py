"""A simulated day of agent traffic through the real gateway: what `lanewise demo` plays.

In the order of the story: `day` (who asks what), `sessions` and `agents` (how their clients ask), `drive` (over HTTP),
`providers`, `minds` and `billing` (who answers, what, for how many tokens), `truth` (who was right), `run`, `summary`
and `tables` (what it came to). The gateway in the middle is the real one and knows nothing of this package.
"""
