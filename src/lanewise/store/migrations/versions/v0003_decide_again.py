"""What deciding again needs, and the bill of answers that nobody got. Older rows keep NULL: no row is rewritten."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("cost_discarded_pusd", "baseline_cost_discarded_pusd"):
        op.add_column("calls", sa.Column(name, sa.BigInteger(), nullable=True))
    for name in ("served_service", "policy_id", "situation"):
        op.add_column("calls", sa.Column(name, sa.Text(), nullable=True))
    for name in ("candidate_service", "refused_by"):
        op.add_column("attempts", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("attempts", sa.Column("hedge", sa.Boolean(), nullable=True))
    op.add_column("attempts", sa.Column("cost_pusd", sa.BigInteger(), nullable=True))
    op.create_table(
        "policies",
        sa.Column("policy_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("policy_id", name="pk_policies"),
    )
