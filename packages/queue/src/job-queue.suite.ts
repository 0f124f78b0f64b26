import { afterEach, describe } from 'node:test'
import { describeAnnouncing, describeNames } from './announcing.suite.ts'
import { describeAborting, describeClosing, describeStopping } from './stopping.suite.ts'
import { type OpenQueue, SuiteClients } from './suite-clients.ts'
import { describeHealth, describeWorking } from './working.suite.ts'

/** What every job queue must do. The suite closes what `open` answers, and uses lanes that nobody else has. */
export function describeJobQueue(name: string, open: OpenQueue): void {
  describe(name, () => {
    const clients = new SuiteClients(open)
    afterEach(() => clients.closeAll())

    describeAnnouncing(clients)
    describeNames(clients)
    describeWorking(clients)
    describeHealth(clients)
    describeStopping(clients)
    describeAborting(clients)
    describeClosing(clients)
  })
}
