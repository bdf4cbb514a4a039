"""How good the decisions are, on outcomes that are known. Pure but for the readers of files; sends nothing."""
