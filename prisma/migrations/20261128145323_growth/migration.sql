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
ALTER TABLE images SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE requests SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE ledger_entries SET (autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE webhook_deliveries SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

-- These look for a few images among all and stop at the first ones. While the statistics still tell of a long queue that is
-- gone, a walk through the whole table would look cheaper to the planner than the index of what is queued.
ALTER FUNCTION claim_image(text, text, text, double precision, jsonb) SET enable_seqscan = off;
ALTER FUNCTION wake_route(text, int) SET enable_seqscan = off;

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
