"""The append-only record of every call: how it is written off the request path, and the questions it answers."""

from lanewise.ledger.queries import call, policy, recent, spent_since
from lanewise.ledger.reports import By, Report, ReportRow, report
from lanewise.ledger.writer import LedgerWriter

__all__ = ["By", "LedgerWriter", "Report", "ReportRow", "call", "policy", "recent", "report", "spent_since"]
