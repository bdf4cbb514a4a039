"""What was paid for a call's label. Older rows keep NULL, which reads as nothing paid: no row is rewritten."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("calls", sa.Column("cost_classify_pusd", sa.BigInteger(), nullable=True))
    op.add_column("calls", sa.Column("baseline_cost_classify_pusd", sa.BigInteger(), nullable=True))
