"""Cheap checks of a held-back answer before it is accepted: what a machine sees at a glance, in bounded time.

Pure: an answer and what was asked in, verdicts out. A check sees form and never meaning: most wrong answers are well
formed, and none of these catches them. How often each errs is measured and ships beside it (`rates.toml`).
"""

from lanewise.verify.checks import CHECKS, Checked, checked
from lanewise.verify.rates import Rates
from lanewise.verify.verdict import CheckName, Verdict

__all__ = ["CHECKS", "CheckName", "Checked", "Rates", "Verdict", "checked"]
