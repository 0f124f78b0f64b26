import type { Command } from 'commander'
import { addCommand } from './command.ts'
import type { Terminal } from './terminal.ts'

export function addDoctorCommand(program: Command, terminal: Terminal): void {
  addCommand(program, 'doctor', 'look at everything that the server needs; exit code 1 when something is wrong').action(
    async () => {
      const { doctor } = await import('./doctor.ts')
      await doctor(terminal)
    },
  )
}
