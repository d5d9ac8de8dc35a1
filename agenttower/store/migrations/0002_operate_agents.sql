ALTER TABLE "agent" ADD COLUMN "tmux_server" TEXT;

CREATE TABLE "event_new" ("id" {AUTO} NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL CHECK (kind IN ('managed', 'agent', 'queue', 'route', 'audit')), "event_type" TEXT NOT NULL, "actor" TEXT NOT NULL CHECK (actor IN ('operator', 'daemon')), "container_id" TEXT, "layout_id" TEXT, "pane_id" TEXT, "sequence" INTEGER, "payload" TEXT NOT NULL, "created_at" {BIG} NOT NULL, "agent_id" TEXT, "byte_start" {BIG}, CHECK ((kind = 'managed') = (layout_id IS NOT NULL AND sequence IS NOT NULL)));

INSERT INTO "event_new" ("id", "kind", "event_type", "actor", "container_id", "layout_id", "pane_id", "sequence", "payload", "created_at") SELECT "id", "kind", "event_type", "actor", "container_id", "layout_id", "pane_id", "sequence", "payload", "created_at" FROM "event";

DROP TABLE "event";

ALTER TABLE "event_new" RENAME TO "event";

CREATE INDEX "event_pane_id" ON "event" ("pane_id");

CREATE UNIQUE INDEX "event_layout_id_sequence" ON "event" ("layout_id", "sequence");

CREATE INDEX "event_of_agent" ON "event" ("agent_id", "id") WHERE agent_id IS NOT NULL;

CREATE INDEX "event_of_agent_observed" ON "event" ("agent_id", "created_at", "byte_start", "id") WHERE kind = 'agent';

CREATE INDEX "event_classified" ON "event" ("event_type", "id", "agent_id") WHERE kind = 'agent';

CREATE INDEX "event_observed" ON "event" ("created_at", "byte_start", "id") WHERE kind = 'agent';

CREATE INDEX "event_heartbeat" ON "event" ("id") WHERE event_type = 'routing_worker_heartbeat';

CREATE TABLE "log_attachment_new" ("attachment_id" TEXT NOT NULL PRIMARY KEY, "agent_id" TEXT NOT NULL, "log_path" TEXT NOT NULL, "status" TEXT NOT NULL CHECK (status IN ('active', 'stale', 'detached', 'superseded')), "source" TEXT NOT NULL CHECK (source IN ('explicit', 'register_self', 'managed')), "attached_at" {BIG} NOT NULL, "last_status_at" {BIG} NOT NULL, "superseded_at" {BIG}, "superseded_by" TEXT, "created_at" {BIG} NOT NULL, "bench_path" TEXT, "via" TEXT NOT NULL CHECK (via IN ('pipe', 'exec')), "pipe_pane_command" TEXT, "prior_pipe_target" TEXT, "fetched" {BIG} NOT NULL CHECK (fetched >= 0), "fetched_size" {BIG} NOT NULL CHECK (fetched_size >= 0), FOREIGN KEY ("agent_id") REFERENCES "agent" ("agent_id") ON DELETE RESTRICT);

INSERT INTO "log_attachment_new" ("attachment_id", "agent_id", "log_path", "status", "source", "attached_at", "last_status_at", "superseded_at", "superseded_by", "created_at", "via", "fetched", "fetched_size") SELECT "attachment_id", "agent_id", "log_path", "status", "source", "attached_at", "last_status_at", "superseded_at", "superseded_by", attached_at, 'pipe', 0, 0 FROM "log_attachment";

DROP TABLE "log_attachment";

ALTER TABLE "log_attachment_new" RENAME TO "log_attachment";

CREATE INDEX "log_attachment_agent_id" ON "log_attachment" ("agent_id");

CREATE UNIQUE INDEX "log_attachment_active_path" ON "log_attachment" ("log_path") WHERE status = 'active';

CREATE INDEX "log_attachment_ended" ON "log_attachment" ("last_status_at") WHERE status <> 'active';

CREATE TABLE "log_offset" ("agent_id" TEXT NOT NULL, "log_path" TEXT NOT NULL, "byte_offset" {BIG} NOT NULL CHECK (byte_offset >= 0), "line_offset" {BIG} NOT NULL CHECK (line_offset >= 0), "last_event_offset" {BIG} NOT NULL, "last_output_at" {BIG}, "file_inode" TEXT, "file_size_seen" {BIG} NOT NULL, "open_window" TEXT, "created_at" {BIG} NOT NULL, "updated_at" {BIG} NOT NULL, PRIMARY KEY ("agent_id", "log_path"));

CREATE INDEX "log_offset_window" ON "log_offset" ("agent_id", "log_path") WHERE open_window IS NOT NULL;

INSERT INTO "log_offset" ("agent_id", "log_path", "byte_offset", "line_offset", "last_event_offset", "file_size_seen", "created_at", "updated_at") SELECT "agent_id", "log_path", 0, 0, 0, 0, MIN("created_at"), MIN("created_at") FROM "log_attachment" GROUP BY "agent_id", "log_path";

CREATE TABLE "log_change" ("change_id" TEXT NOT NULL PRIMARY KEY, "agent_id" TEXT NOT NULL, "container_id" TEXT NOT NULL, "kind" TEXT NOT NULL CHECK (kind IN ('attach', 'detach')), "state" TEXT NOT NULL CHECK (state IN ('open', 'undoing', 'done', 'failed')), "request" TEXT NOT NULL, "outcome" TEXT, "created_at" {BIG} NOT NULL, "finished_at" {BIG}, CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)));

CREATE UNIQUE INDEX "log_change_under_way" ON "log_change" ("agent_id") WHERE state IN ('open', 'undoing');

CREATE TABLE "pane" ("container_id" TEXT NOT NULL, "tmux_socket_path" TEXT NOT NULL, "tmux_session_name" TEXT NOT NULL, "tmux_window_index" INTEGER NOT NULL, "tmux_pane_index" INTEGER NOT NULL, "tmux_pane_id" TEXT NOT NULL, "tmux_server" TEXT NOT NULL, "container_user" TEXT NOT NULL, "token" TEXT NOT NULL, "pane_pid" INTEGER NOT NULL, "pane_tty" TEXT NOT NULL, "pane_current_command" TEXT NOT NULL, "pane_current_path" TEXT NOT NULL, "pane_title" TEXT NOT NULL, "pane_active" {BOOL} NOT NULL, "active" {BOOL} NOT NULL, "first_seen_at" {BIG} NOT NULL, "last_scanned_at" {BIG} NOT NULL, PRIMARY KEY ("container_id", "tmux_socket_path", "tmux_session_name", "tmux_window_index", "tmux_pane_index", "tmux_pane_id"));

CREATE TABLE "pane_scan" ("scan_id" TEXT NOT NULL PRIMARY KEY, "started_at" {BIG} NOT NULL, "completed_at" {BIG} NOT NULL, "status" TEXT NOT NULL CHECK (status IN ('ok', 'degraded', 'failed')), "containers_scanned" INTEGER NOT NULL, "sockets_scanned" INTEGER NOT NULL, "panes_seen" INTEGER NOT NULL, "panes_newly_active" INTEGER NOT NULL, "panes_reconciled_inactive" INTEGER NOT NULL, "containers_skipped_inactive" INTEGER NOT NULL, "containers_tmux_unavailable" INTEGER NOT NULL, "error_code" TEXT, "error_message" TEXT, "error_details" TEXT NOT NULL);

CREATE TABLE "attention" ("agent_id" TEXT NOT NULL PRIMARY KEY, "kind" TEXT NOT NULL, "rule_id" TEXT NOT NULL, "text" TEXT NOT NULL, "since" {BIG} NOT NULL, "seen_at" {BIG} NOT NULL, "told" {BOOL} NOT NULL);

CREATE TABLE "prompt" ("id" {AUTO} NOT NULL PRIMARY KEY, "message_id" TEXT NOT NULL, "state" TEXT NOT NULL CHECK (state IN ('queued', 'blocked', 'delivered', 'failed', 'canceled')), "block_reason" TEXT CHECK (block_reason IS NULL OR block_reason IN ('kill_switch_off', 'sender_role_not_permitted', 'target_not_active', 'target_role_not_permitted', 'target_container_inactive', 'target_pane_missing', 'operator_delayed')), "failure_reason" TEXT CHECK (failure_reason IS NULL OR failure_reason IN ('attempt_interrupted', 'tmux_paste_failed', 'docker_exec_failed', 'tmux_send_keys_failed', 'pane_disappeared_mid_attempt', 'sqlite_lock_conflict', 'pane_not_ready')), "failure_detail" TEXT, "form" TEXT NOT NULL CHECK (form IN ('envelope', 'plain')), "sender_agent_id" TEXT NOT NULL, "sender_label" TEXT NOT NULL, "sender_role" TEXT NOT NULL, "sender_capability" TEXT, "target_agent_id" TEXT NOT NULL, "target_label" TEXT NOT NULL, "target_role" TEXT NOT NULL, "target_capability" TEXT, "target_container_id" TEXT NOT NULL, "target_pane" TEXT NOT NULL, "envelope_body" {BLOB} NOT NULL, "envelope_size_bytes" INTEGER NOT NULL CHECK (envelope_size_bytes > 0), "envelope_body_sha256" TEXT NOT NULL, "excerpt" TEXT NOT NULL, "origin" TEXT NOT NULL CHECK (origin IN ('direct', 'route')), "route_id" TEXT, "event_id" INTEGER, "idempotency_key" TEXT, "enqueued_at" {BIG} NOT NULL, "delivery_attempt_started_at" {BIG}, "delivered_at" {BIG}, "failed_at" {BIG}, "canceled_at" {BIG}, "last_updated_at" {BIG} NOT NULL, "operator_action" TEXT, "operator_action_at" {BIG}, "operator_action_by" TEXT, "lease_owner" TEXT, "submission" TEXT CHECK (submission IS NULL OR submission IN ('submitted', 'unverified')), "submission_reason" TEXT, CHECK ((state = 'blocked') = (block_reason IS NOT NULL)), CHECK ((state = 'failed') = (failure_reason IS NOT NULL)), CHECK ((state = 'delivered') = (delivered_at IS NOT NULL)), CHECK ((state = 'failed') = (failed_at IS NOT NULL)), CHECK ((state = 'canceled') = (canceled_at IS NOT NULL)), CHECK ((origin = 'route') = (route_id IS NOT NULL AND event_id IS NOT NULL)));

CREATE UNIQUE INDEX "prompt_message_id" ON "prompt" ("message_id");

CREATE INDEX "prompt_sender_agent_id" ON "prompt" ("sender_agent_id");

CREATE INDEX "prompt_target_agent_id" ON "prompt" ("target_agent_id");

CREATE INDEX "prompt_open" ON "prompt" ("id") WHERE state IN ('queued', 'blocked');

CREATE INDEX "prompt_in_line" ON "prompt" ("target_agent_id", "id") WHERE state = 'queued' AND delivery_attempt_started_at IS NULL;

CREATE UNIQUE INDEX "prompt_in_flight" ON "prompt" ("target_agent_id") WHERE state = 'queued' AND delivery_attempt_started_at IS NOT NULL;

CREATE UNIQUE INDEX "prompt_routed" ON "prompt" ("route_id", "event_id") WHERE origin = 'route';

CREATE UNIQUE INDEX "prompt_idempotency" ON "prompt" ("sender_agent_id", "idempotency_key") WHERE idempotency_key IS NOT NULL;

CREATE TABLE "route" ("route_id" TEXT NOT NULL PRIMARY KEY, "event_type" TEXT NOT NULL, "source_scope_kind" TEXT NOT NULL CHECK (source_scope_kind IN ('any', 'agent_id', 'role')), "source_scope_value" TEXT, "target_rule" TEXT NOT NULL CHECK (target_rule IN ('explicit', 'source', 'role')), "target_value" TEXT, "master_rule" TEXT NOT NULL CHECK (master_rule IN ('auto', 'explicit')), "master_value" TEXT, "template" TEXT NOT NULL, "enabled" {BOOL} NOT NULL, "last_consumed_event_id" INTEGER NOT NULL, "events_consumed" INTEGER NOT NULL, "last_cycle_at" {BIG}, "last_skip_reason" TEXT, "last_skip_at" {BIG}, "created_at" {BIG} NOT NULL, "updated_at" {BIG} NOT NULL, "created_by_agent_id" TEXT, "container_id" TEXT);

CREATE TABLE "daemon_state" ("key" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL, "last_updated_at" {BIG} NOT NULL, "last_updated_by" TEXT NOT NULL);

CREATE TABLE "subsystem" ("name" TEXT NOT NULL PRIMARY KEY, "document" TEXT NOT NULL, "updated_at" {BIG} NOT NULL);
