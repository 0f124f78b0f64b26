// Makes the bucket of S3_BUCKET where there is none yet, for a store that starts empty (docker-compose.yml). Exit code 0: it
// is there now. Wombat itself never makes one: in most places its key would not be allowed to.
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'

const { S3_BUCKET, S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = process.env
const wanted = { S3_BUCKET, S3_ENDPOINT, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY }
const missing = Object.keys(wanted).filter((name) => !wanted[name])
if (missing.length > 0) {
  console.error(`${missing.join(', ')} must be set`)
  process.exit(3)
}
const client = new S3Client({
  region: S3_REGION || 'us-east-1',
  endpoint: S3_ENDPOINT,
  forcePathStyle: true,
  credentials: { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY },
  maxAttempts: 5,
})
const bucket = { Bucket: S3_BUCKET }
const within = () => ({ abortSignal: AbortSignal.timeout(30_000) })
try {
  await client.send(new CreateBucketCommand(bucket), within()).catch((error) => {
    if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(error.name)) {
      throw error
    }
  })
  // Whoever made it: this key must reach it.
  await client.send(new HeadBucketCommand(bucket), within())
  console.log(`the bucket ${S3_BUCKET} is there`)
} catch (error) {
  console.error(`no bucket ${S3_BUCKET} at ${S3_ENDPOINT}: ${error.name}: ${error.message}`)
  process.exitCode = 1
}
client.destroy()
