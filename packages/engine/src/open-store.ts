import { type BlobStore, FsStore, S3Store } from '@wombat/store'
import type { Values } from './config-variables.ts'

export type StoreName = 'disk' | 's3'

type StoreValues = Pick<
  Values,
  | 'S3_BUCKET'
  | 'S3_ENDPOINT'
  | 'S3_REGION'
  | 'S3_ACCESS_KEY_ID'
  | 'S3_SECRET_ACCESS_KEY'
  | 'S3_FORCE_PATH_STYLE'
  | 'S3_PREFIX'
>

/** Where this configuration keeps images: in the bucket that it names, or on disk below the data directory. */
export function openStore(config: StoreValues, dataDir: string): BlobStore {
  return openNamedStore(config, dataDir, storeName(config))
}

export function storeName({ S3_BUCKET }: Pick<StoreValues, 'S3_BUCKET'>): StoreName {
  return S3_BUCKET === undefined ? 'disk' : 's3'
}

/** One store or the other, for moving from one to the other. Throws when it is S3 and no bucket is named. */
export function openNamedStore(config: StoreValues, dataDir: string, name: StoreName): BlobStore {
  if (name === 'disk') {
    return new FsStore(`${dataDir}/blobs`)
  }
  const { S3_BUCKET: bucket, S3_ENDPOINT: endpoint, S3_ACCESS_KEY_ID: accessKeyId } = config
  const { S3_SECRET_ACCESS_KEY: secretAccessKey } = config
  if (bucket === undefined) {
    throw new Error('S3_BUCKET is not set, so there is no S3 store')
  }
  const hasKey = accessKeyId !== undefined && secretAccessKey !== undefined
  return new S3Store({
    bucket,
    endpoint,
    region: config.S3_REGION,
    credentials: hasKey ? { accessKeyId, secretAccessKey } : undefined,
    // Names of buckets are names of hosts at AWS; elsewhere nobody has set up the DNS for that.
    isPathStyle: config.S3_FORCE_PATH_STYLE ?? endpoint !== undefined,
    prefix: config.S3_PREFIX ?? '',
  })
}

/** Settings of S3 that contradict each other, a sentence each. */
export function storeContradictions(config: StoreValues): string[] {
  const { S3_BUCKET, S3_ENDPOINT, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_FORCE_PATH_STYLE, S3_PREFIX } = config
  const given = Object.entries({
    S3_ENDPOINT,
    S3_ACCESS_KEY_ID,
    S3_SECRET_ACCESS_KEY,
    S3_FORCE_PATH_STYLE,
    S3_PREFIX,
  }).flatMap(([name, value]) => (value === undefined ? [] : [name]))
  const faults: string[] = []
  if (S3_BUCKET === undefined && given.length > 0) {
    faults.push(`${given.join(', ')} without S3_BUCKET: name the bucket, or images are kept on disk`)
  }
  if ((S3_ACCESS_KEY_ID === undefined) !== (S3_SECRET_ACCESS_KEY === undefined)) {
    const [has, lacks] =
      S3_ACCESS_KEY_ID === undefined
        ? ['S3_SECRET_ACCESS_KEY', 'S3_ACCESS_KEY_ID']
        : ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']
    faults.push(`${has} is set without ${lacks}: give both, or none to use the credentials of the machine`)
  }
  return faults
}
