import type { FastifyInstance } from 'fastify'

/** Who opens the base URL in a browser should see that it works. */
export function registerIndex(app: FastifyInstance): void {
  app.get('/', async () => ({
    name: 'Wombat',
    answers: 'the KoalaImages API',
    generate: 'POST /api/image-generation/',
    image: 'GET /api/image/{id}.jpg',
    status: 'GET /api/image/{id}.json',
    health: 'GET /health/ready',
    reference: 'GET /docs',
  }))
}
