-- CreateTable
CREATE TABLE "dev_clock" (
    "is_only" BOOLEAN NOT NULL DEFAULT true,
    "offset_ms" BIGINT NOT NULL,

    CONSTRAINT "dev_clock_pkey" PRIMARY KEY ("is_only")
);

-- ---------------------------------------------------------------------------------------------------------------
-- From here on by hand: what Prisma's schema can't say.

ALTER TABLE dev_clock
  ADD CONSTRAINT dev_clock_only_check CHECK (is_only),
  ADD CONSTRAINT dev_clock_offset_check CHECK (offset_ms > 0);

-- Makes time pass, by moving what the rows know of it into the past; leases of work under way and the ledger keep theirs.
-- False: all advances together would be more than a hundred years. Rows are locked in the order of the other functions.
CREATE FUNCTION advance_dev_clock(step_ms bigint) RETURNS boolean
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
  PERFORM pg_notify('wombat_accounts', '');
  PERFORM pg_notify('wombat_image', '*');
  RETURN true;
END $$;
