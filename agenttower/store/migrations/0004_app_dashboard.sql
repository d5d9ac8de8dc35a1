CREATE INDEX "event_route_skipped" ON "event" ("created_at") WHERE kind = 'route' AND event_type = 'route_skipped';

CREATE INDEX "pane_scan_newest" ON "pane_scan" ("completed_at");
