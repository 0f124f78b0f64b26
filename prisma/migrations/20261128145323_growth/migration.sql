-- CreateTable
CREATE TABLE "forgotten" (
    "is_only" BOOLEAN NOT NULL DEFAULT true,
    "images" BIGINT NOT NULL,
    "last_charge" BIGINT NOT NULL,

    CONSTRAINT "forgotten_pkey" PRIMARY KEY ("is_only")
);

-- CreateIndex
CREATE INDEX "key_spending_begins_idx" ON "key_spending"("begins");

-- CreateIndex
CREATE INDEX "images_created_at_id_idx" ON "images"("created_at", "id");

-- CreateIndex
CREATE INDEX "images_account_id_created_at_id_idx" ON "images"("account_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "webhook_deliveries_created_at_idx" ON "webhook_deliveries"("created_at");

-- CreateIndex
CREATE INDEX "audit_entries_actor_id_idx" ON "audit_entries"("actor", "id");

-- CreateIndex
CREATE INDEX "audit_entries_subject_id_idx" ON "audit_entries"("subject", "id");

-- ---------------------------------------------------------------------------------------------------------------
-- From here on by hand: what Prisma's schema can't say.

-- Lists and reports go through images by the time of their order, page by page: a BRIN index can't give an order.
DROP INDEX images_created_idx;
DROP INDEX webhook_deliveries_created_idx;
-- What failed or was removed, by the same order: for lists of it, and for what is to be forgotten.
CREATE INDEX images_ended_idx ON images (created_at, id) WHERE status IN ('failed', 'removed');
-- What is in the making, by what is counted of it. The end of a lease is no part of an index, so that prolonging it
-- touches none.
DROP INDEX images_lease_idx;
CREATE INDEX images_making_idx ON images (route, model, account_id) WHERE status = 'generating';

-- An image is written three or four times and then never again. A fifth of a large table is far too much to wait for: the
-- small indexes of what is queued would fill with the dead, and the statistics would tell of another day.
-- What is queued is a small part of the images, and comes at once: statistics after so many changes, however many there are.
ALTER TABLE images SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0,
                        autovacuum_analyze_threshold = 10000);
ALTER TABLE requests SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE ledger_entries SET (autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE webhook_deliveries SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

-- These look for a few images among all that wait. The statistics are always late: while they still tell of a long queue that
-- is gone, a walk through the whole table looks cheap, and while they don't know yet of one that has just come, so does
-- any index of what is queued, with a sort behind it, which reads the queue from end to end. With neither allowed, only
-- the index that has the order remains.
ALTER FUNCTION next_image(text, uuid[]) SET enable_seqscan = off;
ALTER FUNCTION next_image(text, uuid[]) SET enable_sort = off;
ALTER FUNCTION wake_route(text, int) SET enable_seqscan = off;

-- As before. Where an image is known by its id, its state is asked for in a way that no index of a state answers: to the
-- planner such an index may look as good, and then it is read from end to end.
CREATE OR REPLACE FUNCTION claim_image(lane text, wanted text, owner text, lease_seconds double precision, candidates jsonb)
RETURNS TABLE (image_id text, route text, is_probe boolean, job_attempt bigint, job_id text)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  picked text;
  found_job record;
  bound route_states;
  bound_most int;
  chosen text;
  owner_account uuid;
  has_limits boolean;
  full_accounts uuid[] := '{}';
BEGIN
  IF wanted IS NULL THEN
    PERFORM FROM images i WHERE i.status = 'queued' AND i.model = lane AND i.due_at <= now() LIMIT 1;
  ELSE
    PERFORM FROM images i WHERE i.id = wanted AND i.status || '' = 'queued' AND i.model = lane AND i.due_at <= now();
  END IF;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  chosen := free_route(candidates);
  IF chosen IS NULL THEN
    RETURN;
  END IF;

  has_limits := EXISTS (SELECT FROM plans p WHERE p.concurrency IS NOT NULL);
  IF has_limits THEN
    full_accounts := accounts_at_limit();
  END IF;

  FOR turn IN 1..64 LOOP
    picked := coalesce(wanted, next_image(lane, full_accounts));
    IF picked IS NULL THEN
      RETURN;
    END IF;
    SELECT i.account_id INTO owner_account FROM images i WHERE i.id = picked;
    IF has_limits AND NOT may_begin(owner_account) THEN
      IF wanted IS NOT NULL THEN
        RETURN;
      END IF;
      -- Another claim was quicker with the last place of this account: others go on.
      full_accounts := full_accounts || owner_account;
      picked := NULL;
      CONTINUE;
    END IF;
    SELECT a.id, a.route, a.job_id INTO found_job FROM attempts a
      WHERE a.image_id = picked AND a.outcome IS NULL AND a.job_id IS NOT NULL
        AND a.route IN (SELECT x.id FROM jsonb_to_recordset(candidates) AS x(id text))
      ORDER BY a.id DESC LIMIT 1;
    EXIT WHEN found_job.id IS NULL OR found_job.route = chosen;

    SELECT * INTO bound FROM route_states r WHERE r.route = found_job.route;
    SELECT x.most INTO bound_most FROM jsonb_to_recordset(candidates) AS x(id text, most int) WHERE x.id = bound.route;
    EXIT WHEN route_room(bound.state, bound.open_until, bound.paused_until, bound.next_call_at, bound.ramp,
                         bound.probe_image, bound.route, bound_most,
                         (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.route = bound.route)) > 0;
    -- Out of the way of those behind it; when its route is back it is due at once (wake_route).
    UPDATE images i
      SET due_at = greatest(now() + interval '1 second', bound.open_until, bound.paused_until),
          announce_at = greatest(now() + interval '1 second', bound.open_until, bound.paused_until),
          route = bound.route
      WHERE i.id = picked AND i.status || '' = 'queued';
    picked := NULL;
    IF wanted IS NOT NULL THEN
      RETURN;
    END IF;
  END LOOP;

  UPDATE images i
    SET status = 'generating', fence = i.fence + 1, lease_owner = owner,
        lease_until = now() + make_interval(secs => lease_seconds), route = coalesce(found_job.route, chosen)
    WHERE i.id = picked AND i.status || '' = 'queued' AND i.due_at <= now()
    RETURNING i.account_id INTO owner_account;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  INSERT INTO account_turns AS t (model, account_id, turns, counted_at) VALUES (lane, owner_account, 1, now())
    ON CONFLICT (model, account_id) DO UPDATE
      SET turns = 1 + t.turns * power(0.5, least(60, extract(epoch FROM now() - t.counted_at) / 30)), counted_at = now();
  image_id := picked;
  route := coalesce(found_job.route, chosen);
  is_probe := use_route(route, candidates, picked);
  job_attempt := found_job.id;
  job_id := found_job.job_id;
  RETURN NEXT;
END $$;

-- Queued images of a model whose announcement is due, put off for again_seconds. Those whose announcement is due within
-- early_seconds are among them when they could have been claimed for lost_seconds.
CREATE FUNCTION due_images(lane text, most int, again_seconds double precision, early_seconds double precision,
                           lost_seconds double precision)
RETURNS TABLE (image_id text, fence int)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
    WITH due AS (
      SELECT id FROM images
      WHERE status = 'queued' AND model = lane AND announce_at <= now() + make_interval(secs => early_seconds)
        AND (announce_at <= now() OR due_at <= now() - make_interval(secs => lost_seconds))
      ORDER BY announce_at LIMIT most FOR UPDATE SKIP LOCKED)
    UPDATE images i SET announce_at = now() + make_interval(secs => again_seconds)
    FROM due WHERE i.id = due.id
    RETURNING i.id, i.fence;
END $$;

-- Queued images whose deadline has passed.
CREATE FUNCTION overdue_images(most int) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
  RETURN QUERY
    SELECT i.id FROM images i WHERE i.status = 'queued' AND i.deadline_at <= now() ORDER BY i.deadline_at LIMIT most;
END $$;

-- How many images of a model wait that were due before a time; counted up to a limit.
CREATE FUNCTION count_ahead(lane text, of_due timestamptz, most int) RETURNS int
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
  RETURN (SELECT count(*) FROM (
    SELECT FROM images w WHERE w.status = 'queued' AND w.model = lane AND w.due_at < of_due ORDER BY w.due_at LIMIT most) a);
END $$;

-- Forgetting -------------------------------------------------------------------------------------------------------

ALTER TABLE forgotten
  ADD CONSTRAINT forgotten_only_check CHECK (is_only),
  ADD CONSTRAINT forgotten_figures_check CHECK (images >= 0 AND last_charge >= 0);

-- Deletes a batch of images that failed or were removed and were ordered so long ago, with their calls and messages, and
-- their requests when nothing is left of them. The ledger stays as it is. Answers how many images there were in the batch.
CREATE FUNCTION forget_images(older_than_seconds double precision, most int) RETURNS int
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  of_requests uuid[];
  gone text[];
  newest bigint;
BEGIN
  -- Locks are taken in one order everywhere: request, then image. Who erases one of these now is done first, or waits.
  SELECT array_agg(l.id) INTO of_requests FROM (
    SELECT r.id FROM requests r WHERE r.id IN (
      SELECT i.request_id FROM images i
      WHERE i.status IN ('failed', 'removed') AND i.created_at < now() - make_interval(secs => older_than_seconds)
      ORDER BY i.created_at, i.id LIMIT most)
    FOR UPDATE SKIP LOCKED) l;
  -- Request by request: by their age all that is to be forgotten would be looked at for each batch.
  SELECT array_agg(l.id) INTO gone FROM unnest(of_requests) AS of_request CROSS JOIN LATERAL (
      SELECT i.id, i.status, i.created_at FROM images i WHERE i.request_id = of_request FOR UPDATE) l
    WHERE l.status IN ('failed', 'removed') AND l.created_at < now() - make_interval(secs => older_than_seconds);
  IF gone IS NULL THEN
    RETURN 0;
  END IF;
  -- The sum keeps the planner from walking back through all entries until one is of these.
  SELECT max(e.id + 0) INTO newest FROM ledger_entries e WHERE e.kind = 'charge' AND e.ref = ANY (gone);
  INSERT INTO forgotten AS f (images, last_charge) VALUES (cardinality(gone), coalesce(newest, 0))
    ON CONFLICT (is_only) DO UPDATE
      SET images = f.images + excluded.images, last_charge = greatest(f.last_charge, excluded.last_charge);
  DELETE FROM attempts a WHERE a.image_id = ANY (gone);
  DELETE FROM images i WHERE i.id = ANY (gone);
  DELETE FROM requests r
    WHERE r.id = ANY (of_requests) AND NOT EXISTS (SELECT FROM images i WHERE i.request_id = r.id);
  RETURN cardinality(gone);
END $$;
