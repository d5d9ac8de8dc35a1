CREATE TABLE "prompt_delay" ("message_id" TEXT NOT NULL PRIMARY KEY, "due_at" {BIG} NOT NULL);

CREATE INDEX "prompt_delay_due_at" ON "prompt_delay" ("due_at");
