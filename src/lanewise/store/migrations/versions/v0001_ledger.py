"""The ledger's first schema: calls, attempts, and the sums per session and task.

A migration stays as it was released: it repeats the columns of `store.schema` as they were then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Ids are looked up by their first characters: order by bytes, as SQLite does.
_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("requested_model", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("turn", sa.Text(), nullable=False),
        sa.Column("skill", sa.Text(), nullable=False),
        sa.Column("skill_confidence", sa.Double(), nullable=False),
        sa.Column("complexity", sa.Double(), nullable=False),
        sa.Column("session_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("task_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("switch_point", sa.Text(), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("baseline_model", sa.Text(), nullable=False),
        sa.Column("preferred_model", sa.Text(), nullable=False),
        sa.Column("chosen_tier", sa.Text(), nullable=False),
        sa.Column("chosen_model", sa.Text(), nullable=False),
        sa.Column("chosen_provider", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_us", sa.BigInteger(), nullable=True),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("overhead_us", sa.BigInteger(), nullable=False),
        sa.Column("preferred_cost_pusd", sa.BigInteger(), nullable=True),
        sa.Column("served_lane", sa.Text(), nullable=True),
        sa.Column("served_tier", sa.Text(), nullable=True),
        sa.Column("served_model", sa.Text(), nullable=True),
        sa.Column("served_upstream_model", sa.Text(), nullable=True),
        sa.Column("served_provider", sa.Text(), nullable=True),
        sa.Column("usage_input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage_cache_read_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage_cache_write_5m_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage_cache_write_1h_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage_reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage_service_tier", sa.Text(), nullable=True),
        sa.Column("usage_estimated", sa.Boolean(), nullable=True),
        sa.Column("usage_reported_cost_pusd", sa.BigInteger(), nullable=True),
        sa.Column("cost_total_pusd", sa.BigInteger(), nullable=True),
        sa.Column("cost_input_pusd", sa.BigInteger(), nullable=True),
        sa.Column("cost_cache_read_pusd", sa.BigInteger(), nullable=True),
        sa.Column("cost_cache_write_pusd", sa.BigInteger(), nullable=True),
        sa.Column("cost_output_pusd", sa.BigInteger(), nullable=True),
        sa.Column("cost_snapshot", sa.Text(), nullable=True),
        sa.Column("baseline_cost_total_pusd", sa.BigInteger(), nullable=True),
        sa.Column("baseline_cost_input_pusd", sa.BigInteger(), nullable=True),
        sa.Column("baseline_cost_cache_read_pusd", sa.BigInteger(), nullable=True),
        sa.Column("baseline_cost_cache_write_pusd", sa.BigInteger(), nullable=True),
        sa.Column("baseline_cost_output_pusd", sa.BigInteger(), nullable=True),
        sa.Column("baseline_cost_snapshot", sa.Text(), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("cost_state", sa.Text(), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_calls"),
    )
    op.create_index("ix_calls_session_id_started_us", "calls", ["session_id", "started_us"], unique=False)
    op.create_index("ix_calls_started_us", "calls", ["started_us"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("first_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("failed_calls", sa.BigInteger(), nullable=False),
        sa.Column("unknown_cost_calls", sa.BigInteger(), nullable=False),
        sa.Column("cost_pusd", sa.BigInteger(), nullable=False),
        sa.Column("baseline_cost_pusd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_last_seen_us", "sessions", ["last_seen_us"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("session_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("task_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("skill", sa.Text(), nullable=False),
        sa.Column("first_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("failed_calls", sa.BigInteger(), nullable=False),
        sa.Column("unknown_cost_calls", sa.BigInteger(), nullable=False),
        sa.Column("cost_pusd", sa.BigInteger(), nullable=False),
        sa.Column("baseline_cost_pusd", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "task_id", name="pk_tasks"),
    )
    op.create_table(
        "attempts",
        sa.Column("call_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("candidate_lane", sa.Text(), nullable=False),
        sa.Column("candidate_tier", sa.Text(), nullable=False),
        sa.Column("candidate_model", sa.Text(), nullable=False),
        sa.Column("candidate_upstream_model", sa.Text(), nullable=False),
        sa.Column("candidate_provider", sa.Text(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("first_byte_us", sa.BigInteger(), nullable=True),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("upstream_request_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.call_id"], name="fk_attempts_call_id_calls", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "number", name="pk_attempts"),
    )
