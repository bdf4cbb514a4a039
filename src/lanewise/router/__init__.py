"""The journey as one function: `decide()` then `carry_out()`. No HTTP, no SQL. Start with `decide.py`."""

from lanewise.router.decide import Conditions, decide
from lanewise.router.opinions import SecondOpinion, Threaded
from lanewise.router.router import Recorder, Router, uuid7
from lanewise.router.world import World

__all__ = ["Conditions", "Recorder", "Router", "SecondOpinion", "Threaded", "World", "decide", "uuid7"]
