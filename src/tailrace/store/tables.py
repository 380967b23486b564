"""The tables. Times are ms since the epoch; a CHECK ties each end time to an end state."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

from tailrace.domain.states import (
    ATTEMPT_ENDED,
    JOB_ENDED,
    RUN_ENDED,
    AgentMode,
    AttemptState,
    JobState,
    LogState,
    RunState,
    StepState,
)
from tailrace.domain.triggers import TriggerKind
from tailrace.store.columns import Id, Ms, among, ends, metadata, reference, row_id

project = Table(
    "project",
    metadata,
    row_id(),
    Column("name", String(100), nullable=False),
    Column("repository", Text, nullable=False),
    Column("webhook_secret", LargeBinary, comment="sealed"),
    Column(
        "hook", JSON(none_as_null=True), comment="how generic webhooks are read; null: by the usual names"
    ),
    Column("run_count", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    Index(
        "uq_project_name",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

plan = Table(
    "plan",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    Column("name", String(100), nullable=False),
    Column("path", Text, comment="where the plan lives in the repository; null: its definition is kept here"),
    Column("version_count", Integer, nullable=False, server_default="0"),
    Column(
        "found", Boolean, nullable=False, server_default=false(), comment="in the repository, by an event"
    ),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    Index(
        "uq_plan_project_id_name",
        "project_id",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

plan_version = Table(
    "plan_version",
    metadata,
    row_id(),
    reference("plan_id", "plan", nullable=False),
    Column("number", Integer, nullable=False),
    Column("definition", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("author", Text),
    Column("created_at", Ms, nullable=False),
    UniqueConstraint("plan_id", "number"),
    Index(None, "plan_id", "sha256"),
    sqlite_autoincrement=True,
)

trigger = Table(
    "trigger",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    reference("plan_id", "plan", nullable=False),
    Column("name", String(100), nullable=False, server_default="webhook"),
    Column("kind", String(20), nullable=False),
    Column(
        "settings",
        JSON(none_as_null=True),
        comment="see domain/triggers.py; null: each is what it is by default",
    ),
    Column("enabled", Boolean, nullable=False),
    Column("mode_by", Text, comment="who enabled or disabled it"),
    Column("mode_why", Text),
    Column("mode_at", Ms),
    Column(
        "next_at",
        Ms,
        comment="when it is looked at next; null: never, as of webhooks and of what is disabled",
    ),
    Column("claimed_until", Ms, comment="a server looks at it until then"),
    Column("claimed_by", String(32), comment="that server"),
    Column("last_at", Ms),
    Column("last_state", String(10)),
    Column("last_detail", Text),
    Column("failures", Integer, nullable=False, server_default="0", comment="errors in a row"),
    Column("seen", JSON(none_as_null=True), comment="what it remembers of when it last looked"),
    Column("created_at", Ms, nullable=False),
    Column("removed_at", Ms),
    CheckConstraint(among("kind", TriggerKind), name="kind"),
    CheckConstraint("last_state IN ('ok', 'error')", name="last_state"),
    Index(None, "project_id", "kind"),
    Index(
        "uq_trigger_plan_id_name",
        "plan_id",
        "name",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    Index(None, "plan_id"),
    Index(
        "ix_trigger_next_at",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL AND removed_at IS NULL"),
        postgresql_where=text("next_at IS NOT NULL AND removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

head = Table(
    "head",
    metadata,
    reference("project_id", "project", primary_key=True, autoincrement=False),
    Column("ref", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("moved_at", Ms, nullable=False),
    Column("by", String(20), nullable=False, comment="the kind of trigger that moved it"),
    Column("moves", JSON, nullable=False, comment="where it was before, the newest last; see store/heads.py"),
    sqlite_with_rowid=False,
)

delivery = Table(
    "delivery",
    metadata,
    row_id(),
    reference("project_id", "project", nullable=False),
    Column("source", String(20), nullable=False),
    Column("key", Text, comment="the sender's own id of the delivery"),
    Column("event", Text),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, comment="zlib; null when it lies in a file"),
    Column("body_file", Text),
    Column("state", String(10), nullable=False),
    Column("detail", Text),
    Column("outcomes", JSON(none_as_null=True), comment="what each trigger made of it; null: none was asked"),
    Column("received_at", Ms, nullable=False),
    Column("removed_at", Ms, comment="when retention took its headers and body: they are empty since"),
    CheckConstraint("state IN ('accepted', 'ignored', 'invalid')", name="state"),
    CheckConstraint("(body IS NULL) <> (body_file IS NULL)", name="body"),
    UniqueConstraint("project_id", "source", "key"),
    Index(None, "project_id", "id"),
    Index(None, "state", "id"),
    Index(
        "ix_delivery_kept",
        "received_at",
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

replay = Table(
    "replay",
    metadata,
    row_id(),
    reference("delivery_id", "delivery", nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Ms, nullable=False),
    Column("state", String(10), nullable=False),
    Column("detail", Text),
    Column("outcomes", JSON(none_as_null=True), comment="as those of a delivery"),
    CheckConstraint("state IN ('accepted', 'ignored', 'invalid')", name="state"),
    Index(None, "delivery_id"),
    sqlite_autoincrement=True,
)

refusal = Table(
    "refusal",
    metadata,
    row_id(),
    Column("project", Text, nullable=False),
    Column("source", String(20), nullable=False),
    Column("why", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("refused_at", Ms, nullable=False),
    sqlite_autoincrement=True,
)

run = Table(
    "run",
    metadata,
    row_id(),
    Column("number", BigInteger, nullable=False),
    reference("project_id", "project", nullable=False),
    reference("plan_id", "plan", nullable=False),
    reference("plan_version_id", "plan_version"),
    reference("delivery_id", "delivery"),
    Column("trigger_id", Id, comment="null: no trigger did, a person asked for it"),
    Column("trigger_kind", String(20), nullable=False),
    Column("trigger_by", Text),
    Column("trigger_event", String(20), nullable=False),
    Column("ref", Text),
    Column("branch", Text),
    Column("revision", Text),
    Column("title", Text),
    Column("author", Text),
    Column("variables", JSON, nullable=False),
    Column(
        "event",
        JSON(none_as_null=True),
        comment="what its plan's `on` is asked about; null once that is done",
    ),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("concurrency", Text, comment="the group in which it takes its turn"),
    Column("turns", Integer, comment="how many runs of its group may be under way at once"),
    Column("place", BigInteger, comment="its place in its group: behind all that had not ended when it came"),
    Column(
        "from_fork", Boolean, nullable=False, server_default=false(), comment="its commit is a stranger's"
    ),
    Column("state", String(10), nullable=False),
    Column("reason", String(60)),
    Column("detail", Text),
    Column("claimed_until", Ms, comment="a server plans it until then"),
    Column("created_at", Ms, nullable=False),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    CheckConstraint(among("state", RunState), name="state"),
    ends("finished_at", RUN_ENDED),
    UniqueConstraint("project_id", "number"),
    Index(
        "ix_run_planning",
        "id",
        sqlite_where=text("state = 'planning'"),
        postgresql_where=text("state = 'planning'"),
    ),
    Index(
        "ix_run_concurrency",
        "concurrency",
        "place",
        sqlite_where=text("concurrency IS NOT NULL AND finished_at IS NULL"),
        postgresql_where=text("concurrency IS NOT NULL AND finished_at IS NULL"),
    ),
    Index(None, "project_id", "id"),
    Index(None, "plan_id", "id"),
    Index(None, "state", "id"),
    Index(None, "branch", "id"),
    Index(None, "delivery_id"),
    Index(
        "ix_run_trigger",
        "trigger_id",
        "id",
        sqlite_where=text("trigger_id IS NOT NULL"),
        postgresql_where=text("trigger_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

concurrency_group = Table(
    "concurrency_group",
    metadata,
    Column("name", Text, primary_key=True, comment="its row is locked by whoever gives a turn"),
)

protected_label = Table(
    "protected_label",
    metadata,
    Column("name", String(100), primary_key=True),
    Column(
        "projects", JSON, nullable=False, comment="ids of those whose runs may use it; runs from forks never"
    ),
    Column("by", Text, nullable=False),
    Column("why", Text),
    Column("at", Ms, nullable=False),
)

pause = Table(
    "pause",
    metadata,
    Column("scope", String(40), primary_key=True, comment="queue, or project/ID"),
    Column("by", Text, nullable=False),
    Column("why", Text),
    Column("at", Ms, nullable=False),
)

job = Table(
    "job",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    Column("position", Integer, nullable=False),
    Column("name", String(100), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(60)),
    Column("detail", Text),
    Column("retry_at", Ms, comment="when its next attempt is queued; null: it is, or none"),
    Column("created_at", Ms, nullable=False),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    CheckConstraint(among("state", JobState), name="state"),
    ends("finished_at", JOB_ENDED),
    UniqueConstraint("run_id", "name"),
    Index(
        "ix_job_retry_at",
        "retry_at",
        sqlite_where=text("retry_at IS NOT NULL"),
        postgresql_where=text("retry_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

agent = Table(
    "agent",
    metadata,
    row_id(),
    Column("name", String(100), nullable=False),
    Column("credential_hash", String(64), nullable=False, unique=True),
    Column("labels", JSON, nullable=False),
    Column("granted_labels", JSON, nullable=False, comment="those of its registration token: it keeps them"),
    Column(
        "projects", JSON(none_as_null=True), comment="ids of those whose work people let it take; null: all"
    ),
    Column("own_projects", JSON(none_as_null=True), comment="names of those whose work it takes; null: all"),
    Column("capacity", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("address", Text),
    Column("online", Boolean, nullable=False),
    Column("trouble", Text, comment="the last error that it reported of itself"),
    Column("trouble_at", Ms),
    Column(
        "refused",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="the trouble is that its hello was not understood",
    ),
    Column("machine", JSON, comment="what it said of its machine when it connected"),
    Column("load", JSON, comment="how busy its machine was when its leases were renewed"),
    Column("mode", String(10), nullable=False, server_default="active"),
    Column("mode_by", Text, comment="who set the mode"),
    Column("mode_why", Text),
    Column("mode_at", Ms),
    Column("first_seen_at", Ms, nullable=False),
    Column("last_seen_at", Ms, nullable=False),
    Column("removed_at", Ms),
    CheckConstraint(among("mode", AgentMode), name="mode"),
    sqlite_autoincrement=True,
)

agent_change = Table(
    "agent_change",
    metadata,
    row_id(),
    reference("agent_id", "agent", nullable=False),
    Column("what", Text, nullable=False, comment="in words"),
    Column("by", Text, nullable=False),
    Column("why", Text),
    Column("at", Ms, nullable=False),
    Index(None, "agent_id", "id"),
    sqlite_autoincrement=True,
)

log = Table(
    "log",
    metadata,
    row_id(),
    Column("state", String(10), nullable=False),
    Column("size", BigInteger, comment="bytes; known once it is closed or truncated"),
    Column("crc32", BigInteger),
    Column("created_at", Ms, nullable=False),
    Column("closed_at", Ms),
    Column("sealed", BigInteger, nullable=False, server_default="0", comment="bytes, from 0 on, in segments"),
    Column("sealed_at", Ms, comment="when segments held all of it"),
    Column(
        "dropped", BigInteger, nullable=False, server_default="0", comment="bytes beyond its limit, not kept"
    ),
    Column("removed_at", Ms),
    Column("removed_why", Text, comment="the rule of retention that took it"),
    Column("claimed_until", Ms, comment="a server seals it until then"),
    Column("claimed_by", String(32), comment="that server; null: it may not go on"),
    CheckConstraint(among("state", LogState), name="state"),
    CheckConstraint("(closed_at IS NULL) = (state = 'open')", name="end"),
    CheckConstraint("(size IS NULL) = (state = 'open')", name="size"),
    Index(
        "ix_log_unsealed",
        "id",
        sqlite_where=text("sealed_at IS NULL"),
        postgresql_where=text("sealed_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)

segment = Table(
    "segment",
    metadata,
    reference("log_id", "log", primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, nullable=False, comment="its first byte's offset in the log"),
    Column("stop", BigInteger, nullable=False),
    Column("first_line", BigInteger, nullable=False, comment="newlines before it"),
    Column("lines", BigInteger, nullable=False, comment="newlines in it"),
    Column("first_time", Ms, nullable=False),
    Column("last_time", Ms, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes in the archive"),
    Column("sha256", String(64), nullable=False, comment="of the archive's object"),
    Column("crc32", BigInteger, nullable=False, comment="of the log's bytes before `stop`"),
    Column("key", Text, nullable=False, comment="its path in the archive"),
    Column("created_at", Ms, nullable=False),
    CheckConstraint("start < stop", name="bytes"),
    UniqueConstraint("log_id", "start"),
    sqlite_with_rowid=False,
)

orphan = Table(
    "orphan",
    metadata,
    Column("key", Text, primary_key=True, comment="an object of the archive that no segment names any more"),
    Column("created_at", Ms, nullable=False),
    sqlite_with_rowid=False,
)

secret = Table(
    "secret",
    metadata,
    row_id(),
    reference("project_id", "project", comment="null: for all projects"),
    Column("name", String(100), nullable=False),
    Column("value", LargeBinary, nullable=False, comment="sealed"),
    Column("warnings", JSON, nullable=False, comment="what masking cannot hide of it"),
    Column("author", Text),
    Column("created_at", Ms, nullable=False),
    Column("updated_at", Ms, nullable=False),
    Index(
        "uq_secret_name",
        "name",
        unique=True,
        sqlite_where=text("project_id IS NULL"),
        postgresql_where=text("project_id IS NULL"),
    ),
    Index(
        "uq_secret_project_id_name",
        "project_id",
        "name",
        unique=True,
        sqlite_where=text("project_id IS NOT NULL"),
        postgresql_where=text("project_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

attempt = Table(
    "attempt",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    reference("job_id", "job", nullable=False),
    Column("number", Integer, nullable=False),
    reference("log_id", "log", nullable=False, unique=True),
    Column("cookie", String(32), nullable=False),
    Column(
        "labels",
        Text,
        nullable=False,
        comment="the job's labels, sorted, a line each: equal sets are equal text",
    ),
    Column("project_id", Id, comment="its run's, so that the queue's index can name it"),
    Column(
        "rank",
        Integer,
        nullable=False,
        server_default="0",
        comment="its run's priority, negated: the queue begins with the least",
    ),
    Column("from_fork", Boolean, nullable=False, server_default=false(), comment="as its run's"),
    Column("state", String(10), nullable=False),
    Column("reason", String(60)),
    Column("detail", Text),
    Column("exit_code", Integer),
    reference("agent_id", "agent"),
    Column("abort_by", Text, comment="who asked for its end, while it has not ended"),
    Column("aborts", Integer, nullable=False, server_default="0", comment="how often its end was asked for"),
    Column("outputs", JSON, comment="what it gave to jobs that need its own"),
    Column("stalled", Text, comment="why its output stands still; null: it does not"),
    Column("lease_until", Ms),
    Column("start_by", Ms, comment="when it fails unless an agent has it; null: it may wait for ever"),
    Column("created_at", Ms, nullable=False),
    Column("leased_at", Ms),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    CheckConstraint(among("state", AttemptState), name="state"),
    ends("finished_at", ATTEMPT_ENDED),
    CheckConstraint("(lease_until IS NOT NULL) = (state IN ('leased', 'running'))", name="lease"),
    CheckConstraint("state NOT IN ('leased', 'running') OR agent_id IS NOT NULL", name="agent"),
    UniqueConstraint("job_id", "number"),
    Index(None, "run_id"),
    Index(
        "ix_attempt_queue",
        "labels",
        "rank",
        "project_id",
        "from_fork",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_attempt_held",
        "agent_id",
        "id",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
    Index(
        "ix_attempt_lease",
        "lease_until",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
    Index(
        "ix_attempt_start_by",
        "start_by",
        sqlite_where=text("state = 'pending' AND start_by IS NOT NULL"),
        postgresql_where=text("state = 'pending' AND start_by IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

step = Table(
    "step",
    metadata,
    reference("attempt_id", "attempt", primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("exit_code", Integer),
    Column("began_at", Ms),
    Column("ended_at", Ms),
    CheckConstraint(among("state", StepState), name="state"),
    sqlite_with_rowid=False,
)

artifact = Table(
    "artifact",
    metadata,
    row_id(),
    reference("run_id", "run", nullable=False),
    reference("job_id", "job", nullable=False),
    reference("attempt_id", "attempt", nullable=False),
    Column("path", Text, nullable=False, comment="below the workspace"),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("executable", Boolean, nullable=False),
    Column("key", Text, comment="its path in the archive; null: the archive does not hold it"),
    Column("keep_until", Ms, comment="what the plan says; null: the settings do"),
    Column("created_at", Ms, nullable=False),
    Column("stored_at", Ms, comment="when the archive held it; null: it was announced and has not come"),
    Column("removed_at", Ms),
    Column("removed_why", Text),
    CheckConstraint("(key IS NOT NULL) = (stored_at IS NOT NULL AND removed_at IS NULL)", name="key"),
    Index(
        "uq_artifact_attempt_id_path",
        "attempt_id",
        "path",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
    Index(
        "ix_artifact_run_id",
        "run_id",
        "job_id",
        "attempt_id",
        "path",
        sqlite_where=text("key IS NOT NULL"),
        postgresql_where=text("key IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

# The conditions of partial indexes: in these words, because SQLite uses none of them for a state that is a parameter.
run_in_turn = run.c.concurrency.is_not(None) & run.c.finished_at.is_(None)
run_planning = run.c.state == literal_column("'planning'")
job_delayed = job.c.retry_at.is_not(None)
attempt_pending = attempt.c.state == literal_column("'pending'")
log_unsealed = log.c.sealed_at.is_(None)
attempt_may_be_late = attempt_pending & attempt.c.start_by.is_not(None)
attempt_held = attempt.c.lease_until.is_not(None)  # leased or running, says a CHECK
artifact_kept = artifact.c.key.is_not(None)
trigger_scheduled = trigger.c.next_at.is_not(None) & trigger.c.removed_at.is_(None)
delivery_kept = delivery.c.removed_at.is_(None)
