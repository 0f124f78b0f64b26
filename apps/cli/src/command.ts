import type { Command } from 'commander'

/** A command that can print JSON. */
export function addCommand(parent: Command, usage: string, summary: string): Command {
  return parent.command(usage).description(summary).option('--json', 'print one JSON document and nothing else')
}

/** A name that only carries commands, such as `account`. */
export function addGroup(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary)
}
