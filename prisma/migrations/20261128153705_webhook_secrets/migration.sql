-- CreateTable
CREATE TABLE "webhook_secrets" (
    "id" UUID NOT NULL,
    "webhook_id" UUID NOT NULL,
    "secret" TEXT NOT NULL,
    "signs_until" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_secrets_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "webhook_secrets_webhook_id_idx" ON "webhook_secrets"("webhook_id");

-- AddForeignKey
ALTER TABLE "webhook_secrets" ADD CONSTRAINT "webhook_secrets_webhook_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- As in the migration of what companies need, with the secrets that webhooks had.
CREATE OR REPLACE FUNCTION advance_dev_clock(step_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  step interval := step_ms * interval '1 millisecond';
BEGIN
  IF step_ms <= 0 THEN
    RAISE EXCEPTION 'time never goes backwards';
  END IF;
  INSERT INTO dev_clock AS c (offset_ms) VALUES (step_ms)
    ON CONFLICT (is_only) DO UPDATE SET offset_ms = c.offset_ms + step_ms
      WHERE c.offset_ms + step_ms <= 36500 * 86400000::bigint;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE idempotency_keys SET created_at = created_at - step;
  UPDATE route_states SET open_until = open_until - step, paused_until = paused_until - step,
    next_call_at = next_call_at - step, changed_at = changed_at - step;
  UPDATE requests SET created_at = created_at - step;
  UPDATE images SET created_at = created_at - step, due_at = due_at - step, announce_at = announce_at - step,
    deadline_at = deadline_at - step, finished_at = finished_at - step, stored_at = stored_at - step;
  UPDATE attempts SET started_at = started_at - step, finished_at = finished_at - step;
  UPDATE garbage_objects SET delete_after = delete_after - step;
  UPDATE api_keys SET expires_at = expires_at - step WHERE expires_at IS NOT NULL;
  UPDATE account_turns SET counted_at = counted_at - step;
  UPDATE webhook_deliveries SET created_at = created_at - step, due_at = due_at - step, delivered_at = delivered_at - step;
  UPDATE webhook_secrets SET signs_until = signs_until - step;
  PERFORM pg_notify('wombat_accounts', '');
  PERFORM pg_notify('wombat_image', '*');
  RETURN true;
END $$;
