/*
 * The files beside this one run suites of checks/ a second time: every server that these start has its queue on Redis and
 * its images on S3 (see home.ts). Several suites share a process, since to load the server costs more than most of them.
 */
process.env.WOMBAT_TEST_PARTS = 'redis-s3'
