import { type Command, Option } from 'commander'
import { CliError } from './errors.ts'

/** A command that can print JSON. */
export function addCommand(parent: Command, usage: string, summary: string): Command {
  return parent.command(usage).description(summary).option('--json', 'print one JSON document and nothing else')
}

/** A name that only carries commands, such as `account`. */
export function addGroup(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary)
}

/** A command that nobody but the database itself can serve: who names a server is told so. */
export function addDatabaseCommand(parent: Command, usage: string, summary: string): Command {
  const command = addCommand(parent, usage, summary)
  const refuse = () => {
    const name = [parent.parent === null ? '' : parent.name(), command.name()].join(' ').trim()
    throw new CliError('usage', `\`wombat ${name}\` needs the database itself: run it there, without --server`)
  }
  return command
    .addOption(new Option('--server <url>').argParser(refuse).hideHelp())
    .addOption(new Option('--token <token>').argParser(refuse).hideHelp())
}
