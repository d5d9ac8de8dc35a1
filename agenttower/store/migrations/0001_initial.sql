CREATE TABLE "agent" ("agent_id" TEXT NOT NULL PRIMARY KEY, "container_id" TEXT NOT NULL, "tmux_socket_path" TEXT NOT NULL, "tmux_session_name" TEXT NOT NULL, "tmux_window_index" INTEGER NOT NULL, "tmux_pane_index" INTEGER NOT NULL, "tmux_pane_id" TEXT NOT NULL, "pane_pid" INTEGER, "cwd" TEXT, "role" TEXT NOT NULL CHECK (role IN ('master', 'slave', 'swarm', 'test-runner', 'shell', 'unknown')), "capability" TEXT NOT NULL, "label" TEXT NOT NULL, "project_path" TEXT NOT NULL, "parent_agent_id" TEXT, "origin" TEXT NOT NULL CHECK (origin IN ('managed', 'adopted')), "created_at" {BIG} NOT NULL, "last_registered_at" {BIG} NOT NULL, "last_seen_at" {BIG}, "active" {BOOL} NOT NULL);

CREATE UNIQUE INDEX "agent_active_pane" ON "agent" ("container_id", "tmux_socket_path", "tmux_session_name", "tmux_window_index", "tmux_pane_index", "tmux_pane_id") WHERE active;

CREATE TABLE "container" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "provider" TEXT NOT NULL CHECK (provider IN ('docker', 'local')), "image" TEXT NOT NULL, "status" TEXT NOT NULL, "started_at" TEXT NOT NULL, "labels" TEXT NOT NULL, "mounts" TEXT NOT NULL, "env_names" TEXT NOT NULL, "config_user" TEXT, "working_dir" TEXT, "has_init" {BOOL} NOT NULL, "active" {BOOL} NOT NULL, "first_seen_at" {BIG} NOT NULL, "last_scanned_at" {BIG} NOT NULL);

CREATE INDEX "container_name" ON "container" ("name");

CREATE TABLE "container_scan" ("scan_id" TEXT NOT NULL PRIMARY KEY, "started_at" {BIG} NOT NULL, "completed_at" {BIG} NOT NULL, "status" TEXT NOT NULL CHECK (status IN ('ok', 'degraded', 'failed')), "matched_count" INTEGER NOT NULL, "inactive_reconciled_count" INTEGER NOT NULL, "ignored_count" INTEGER NOT NULL, "error_code" TEXT, "error_message" TEXT, "error_details" TEXT NOT NULL);

CREATE TABLE "event" ("id" {AUTO} NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL CHECK (kind IN ('managed', 'audit')), "event_type" TEXT NOT NULL, "actor" TEXT NOT NULL CHECK (actor IN ('operator', 'daemon')), "container_id" TEXT, "layout_id" TEXT, "pane_id" TEXT, "sequence" INTEGER, "payload" TEXT NOT NULL, "created_at" {BIG} NOT NULL, CHECK ((kind = 'managed') = (layout_id IS NOT NULL AND sequence IS NOT NULL)));

CREATE INDEX "event_pane_id" ON "event" ("pane_id");

CREATE UNIQUE INDEX "event_layout_id_sequence" ON "event" ("layout_id", "sequence");

CREATE TABLE "log_attachment" ("attachment_id" TEXT NOT NULL PRIMARY KEY, "agent_id" TEXT NOT NULL, "log_path" TEXT NOT NULL, "status" TEXT NOT NULL CHECK (status IN ('active', 'stale', 'detached', 'superseded')), "source" TEXT NOT NULL CHECK (source IN ('explicit', 'register_self', 'managed')), "attached_at" {BIG} NOT NULL, "last_status_at" {BIG} NOT NULL, "superseded_at" {BIG}, "superseded_by" TEXT, FOREIGN KEY ("agent_id") REFERENCES "agent" ("agent_id") ON DELETE RESTRICT);

CREATE INDEX "log_attachment_agent_id" ON "log_attachment" ("agent_id");

CREATE UNIQUE INDEX "log_attachment_active_path" ON "log_attachment" ("log_path") WHERE status = 'active';

CREATE TABLE "managed_layout" ("layout_id" TEXT NOT NULL PRIMARY KEY, "container_id" TEXT NOT NULL, "template_name" TEXT NOT NULL, "template_layout" TEXT NOT NULL, "tmux_session_name" TEXT NOT NULL, "tmux_session_target" TEXT NOT NULL, "label_prefix" TEXT NOT NULL, "state" TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'degraded', 'failed', 'removed')), "failed_stage" TEXT CHECK (failed_stage IS NULL OR failed_stage IN ('pane_create', 'launch_command', 'registration', 'log_attach', 'tmux_kill', 'recovery_reattach')), "intended_pane_count" INTEGER NOT NULL CHECK (intended_pane_count > 0), "idempotency_key" TEXT, "last_sequence" INTEGER NOT NULL, "revision" INTEGER NOT NULL, "created_at" {BIG} NOT NULL, "updated_at" {BIG} NOT NULL, CHECK (failed_stage IS NULL OR state = 'failed'));

CREATE UNIQUE INDEX "managed_layout_idempotency" ON "managed_layout" ("container_id", "idempotency_key") WHERE idempotency_key IS NOT NULL;

CREATE UNIQUE INDEX "managed_layout_session" ON "managed_layout" ("container_id", "tmux_session_target") WHERE state IN ('creating', 'ready', 'degraded');

CREATE INDEX "managed_layout_current" ON "managed_layout" ("created_at") WHERE state <> 'removed';

CREATE TABLE "managed_pane" ("pane_id" TEXT NOT NULL PRIMARY KEY, "layout_id" TEXT NOT NULL, "container_id" TEXT NOT NULL, "slot" INTEGER NOT NULL, "role" TEXT NOT NULL, "capability" TEXT NOT NULL, "label" TEXT NOT NULL, "state" TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'degraded', 'failed', 'removed')), "failed_stage" TEXT CHECK (failed_stage IS NULL OR failed_stage IN ('pane_create', 'launch_command', 'registration', 'log_attach', 'tmux_kill', 'recovery_reattach')), "failure_reason" TEXT, "profile_name" TEXT, "launch" TEXT NOT NULL, "tmux_session_name" TEXT NOT NULL, "tmux_socket_path" TEXT, "tmux_server_id" TEXT, "tmux_pane_id" TEXT, "tmux_window_index" INTEGER, "tmux_pane_index" INTEGER, "pane_pid" INTEGER, "chain_depth" INTEGER NOT NULL CHECK (chain_depth BETWEEN 0 AND 15), "predecessor_id" TEXT, "idempotency_key" TEXT, "pending_marker_token" TEXT, "reserved_agent_id" TEXT NOT NULL, "agent_id" TEXT, "log_path" TEXT NOT NULL, "log_attached" {BOOL} NOT NULL, "exit_code" INTEGER, "exit_elapsed_ms" {BIG}, "restart" TEXT, "created_at" {BIG} NOT NULL, "updated_at" {BIG} NOT NULL, FOREIGN KEY ("layout_id") REFERENCES "managed_layout" ("layout_id") ON DELETE RESTRICT, CHECK ((state = 'creating') = (pending_marker_token IS NOT NULL)), CHECK ((chain_depth = 0) = (predecessor_id IS NULL)));

CREATE INDEX "managed_pane_layout_id" ON "managed_pane" ("layout_id");

CREATE UNIQUE INDEX "managed_pane_reserved_agent_id" ON "managed_pane" ("reserved_agent_id");

CREATE UNIQUE INDEX "managed_pane_label" ON "managed_pane" ("container_id", "label") WHERE state IN ('creating', 'ready', 'degraded');

CREATE UNIQUE INDEX "managed_pane_target" ON "managed_pane" ("container_id", "tmux_server_id", "tmux_pane_id") WHERE tmux_pane_id IS NOT NULL AND state IN ('creating', 'ready', 'degraded');

CREATE UNIQUE INDEX "managed_pane_successor" ON "managed_pane" ("predecessor_id") WHERE state IN ('creating', 'ready', 'degraded');

CREATE INDEX "managed_pane_creating" ON "managed_pane" ("created_at") WHERE state = 'creating';

CREATE TABLE "operation" ("id" {AUTO} NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL, "lane" TEXT NOT NULL, "in_line" {BOOL} NOT NULL, "subject_id" TEXT NOT NULL, "state" TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'succeeded', 'failed')), "requested_by" TEXT NOT NULL, "created_at" {BIG} NOT NULL, "started_at" {BIG}, "resumed_at" {BIG}, "finished_at" {BIG});

CREATE INDEX "operation_subject_id" ON "operation" ("subject_id");

CREATE INDEX "operation_unfinished" ON "operation" ("lane", "id") WHERE state IN ('waiting', 'running');

CREATE TABLE "queue_counter" ("queue" TEXT NOT NULL, "key" TEXT NOT NULL, "value" INTEGER NOT NULL, PRIMARY KEY ("queue", "key"));

CREATE TABLE "queue_message" ("id" {AUTO} NOT NULL PRIMARY KEY, "queue" TEXT NOT NULL, "data" {BLOB} NOT NULL, "priority" REAL NOT NULL, "step_id" INTEGER, "not_before" {BIG} NOT NULL);

CREATE INDEX "queue_message_step_id" ON "queue_message" ("step_id");

CREATE INDEX "queue_message_queue_not_before" ON "queue_message" ("queue", "not_before");

CREATE TABLE "queue_schedule" ("id" {AUTO} NOT NULL PRIMARY KEY, "queue" TEXT NOT NULL, "data" {BLOB} NOT NULL, "timestamp" {BIG} NOT NULL);

CREATE TABLE "queue_value" ("queue" TEXT NOT NULL, "key" TEXT NOT NULL, "value" {BLOB} NOT NULL, PRIMARY KEY ("queue", "key"));

CREATE TABLE "relay_position" ("id" INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), "last_event_id" INTEGER NOT NULL, "file_offset" {BIG} NOT NULL);

CREATE TABLE "step" ("id" {AUTO} NOT NULL PRIMARY KEY, "operation_id" INTEGER NOT NULL, "stage" TEXT NOT NULL, "subject_id" TEXT NOT NULL, "lane" TEXT NOT NULL, "status" TEXT NOT NULL CHECK (status IN ('pending', 'running', 'done', 'failed')), "attempt" INTEGER NOT NULL, "failures" INTEGER NOT NULL, "not_before" {BIG} NOT NULL, "lease_owner" TEXT, "lease_until" {BIG}, "fence" INTEGER NOT NULL, "created_at" {BIG} NOT NULL, "started_at" {BIG}, "finished_at" {BIG}, "error_class" TEXT, "error_text" TEXT, "history" TEXT NOT NULL, FOREIGN KEY ("operation_id") REFERENCES "operation" ("id") ON DELETE RESTRICT, CHECK ((status = 'running') = (lease_owner IS NOT NULL)), CHECK ((status IN ('done', 'failed')) = (finished_at IS NOT NULL)));

CREATE INDEX "step_operation_id" ON "step" ("operation_id");

CREATE INDEX "step_subject_id" ON "step" ("subject_id");

CREATE UNIQUE INDEX "step_operation_id_subject_id_stage" ON "step" ("operation_id", "subject_id", "stage");

CREATE INDEX "step_unfinished" ON "step" ("status", "lease_until") WHERE status IN ('pending', 'running');

CREATE TABLE "worker" ("worker_id" TEXT NOT NULL PRIMARY KEY, "pid" INTEGER NOT NULL, "process_start" {BIG} NOT NULL, "boot_id" TEXT NOT NULL, "started_at" {BIG} NOT NULL, "heartbeat_at" {BIG} NOT NULL, "stopped_at" {BIG});
