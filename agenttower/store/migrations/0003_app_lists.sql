ALTER TABLE "container" ADD COLUMN "panes_scanned_at" {BIG};

ALTER TABLE "container" ADD COLUMN "pane_scan_error" TEXT;

CREATE TABLE "pane_new" ("id" {AUTO} NOT NULL PRIMARY KEY, "container_id" TEXT NOT NULL, "tmux_socket_path" TEXT NOT NULL, "tmux_session_name" TEXT NOT NULL, "tmux_window_index" INTEGER NOT NULL, "tmux_pane_index" INTEGER NOT NULL, "tmux_pane_id" TEXT NOT NULL, "tmux_server" TEXT NOT NULL, "container_user" TEXT NOT NULL, "token" TEXT NOT NULL, "pane_pid" INTEGER NOT NULL, "pane_tty" TEXT NOT NULL, "pane_current_command" TEXT NOT NULL, "pane_current_path" TEXT NOT NULL, "pane_title" TEXT NOT NULL, "pane_active" {BOOL} NOT NULL, "active" {BOOL} NOT NULL, "first_seen_at" {BIG} NOT NULL, "last_scanned_at" {BIG} NOT NULL, "last_seen_at" {BIG} NOT NULL);

INSERT INTO "pane_new" ("container_id", "tmux_socket_path", "tmux_session_name", "tmux_window_index", "tmux_pane_index", "tmux_pane_id", "tmux_server", "container_user", "token", "pane_pid", "pane_tty", "pane_current_command", "pane_current_path", "pane_title", "pane_active", "active", "first_seen_at", "last_scanned_at", "last_seen_at") SELECT "container_id", "tmux_socket_path", "tmux_session_name", "tmux_window_index", "tmux_pane_index", "tmux_pane_id", "tmux_server", "container_user", "token", "pane_pid", "pane_tty", "pane_current_command", "pane_current_path", "pane_title", "pane_active", "active", "first_seen_at", "last_scanned_at", "last_scanned_at" FROM "pane";

DROP TABLE "pane";

ALTER TABLE "pane_new" RENAME TO "pane";

CREATE UNIQUE INDEX "pane_key" ON "pane" ("container_id", "tmux_socket_path", "tmux_session_name", "tmux_window_index", "tmux_pane_index", "tmux_pane_id");

CREATE INDEX "pane_listed" ON "pane" ("container_id", "tmux_session_name", "tmux_window_index", "tmux_pane_index", "id");

CREATE INDEX "pane_listed_first_seen" ON "pane" ("first_seen_at", "id");

CREATE INDEX "pane_listed_last_seen" ON "pane" ("last_seen_at", "id");

CREATE INDEX "pane_of_tmux_id" ON "pane" ("tmux_pane_id");

CREATE INDEX "pane_of_token" ON "pane" ("token") WHERE token <> '' AND active;

CREATE INDEX "agent_listed_by_role" ON "agent" ("role", "created_at", "agent_id");

CREATE INDEX "agent_listed" ON "agent" ("created_at", "agent_id");

CREATE INDEX "log_attachment_listed" ON "log_attachment" ("attached_at", "attachment_id");

CREATE INDEX "log_attachment_listed_by_change" ON "log_attachment" ("last_status_at", "attachment_id");

CREATE INDEX "log_attachment_listed_by_status" ON "log_attachment" ("status", "last_status_at", "attachment_id");

CREATE INDEX "prompt_listed" ON "prompt" ("state", "enqueued_at", "id");

CREATE INDEX "prompt_listed_by_age" ON "prompt" ("enqueued_at", "id");

CREATE INDEX "prompt_listed_by_change" ON "prompt" ("last_updated_at", "id");

UPDATE "event" SET "agent_id" = (SELECT reserved_agent_id FROM managed_pane WHERE managed_pane.pane_id = event.pane_id) WHERE kind = 'managed' AND pane_id IS NOT NULL;

CREATE INDEX "event_listed" ON "event" ("id", "created_at") WHERE kind IN ('agent', 'managed');

CREATE INDEX "event_listed_observed" ON "event" ("created_at", "id") WHERE kind IN ('agent', 'managed');

CREATE INDEX "event_listed_managed" ON "event" ("event_type", "id") WHERE kind = 'managed';
