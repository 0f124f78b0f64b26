import type { Command } from 'commander'
import { id, integer, label } from './arguments.ts'
import { addCommand } from './command.ts'
import type { GenerateOptions } from './generate.ts'
import type { Terminal } from './terminal.ts'

export function addGenerateCommand(program: Command, terminal: Terminal): void {
  addCommand(program, 'generate <prompt>', 'make an image and save it, also without a running server')
    .option('--model <model>', 'which model', label(100))
    .option('--size <size>', 'such as 1024x1536, 16:9 or landscape', label(20))
    .option('--quality <quality>', 'of the model', label(20))
    .option('--style <style>', 'photo, illustration, watercolor and so on', label(20))
    .option('-n, --number <number>', 'how many', integer(1, 4), 1)
    .option('--alt', 'also write an alternative text')
    .option('--original', 'keep the lossless PNG')
    .option('--out <path>', 'a folder, or the name of the file')
    .option('--wait <seconds>', 'how long at most', integer(1, 86_400), 600)
    .option('--key <key>', 'the API key to use, instead of a temporary one')
    .option('--account <id>', 'who pays, when there are several accounts', id)
    .action(async (prompt: string, options: GenerateOptions) => {
      const { generate } = await import('./generate.ts')
      await generate(terminal, prompt, options)
    })
}
