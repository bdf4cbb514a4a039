"""The journey as one function: `decide()` then `carry_out()`. No HTTP, no SQL. Start with `decide.py`."""

from lanewise.router.decide import decide
from lanewise.router.experience import Experience
from lanewise.router.opinions import SecondOpinion, Threaded
from lanewise.router.router import Recorder, Router, uuid7
from lanewise.router.situation import Policy, Rulebook, Situation
from lanewise.router.spending import Spending
from lanewise.router.world import Conditions, World

__all__ = [
    "Conditions",
    "Experience",
    "Policy",
    "Recorder",
    "Router",
    "Rulebook",
    "SecondOpinion",
    "Situation",
    "Spending",
    "Threaded",
    "World",
    "decide",
    "uuid7",
]
