/** So many letters in a row that are also in the prompt are no accident. */
const TELLING_LENGTH = 16
/** Of a shorter prompt nothing can be told, and it is in every other word. */
const SHORTEST_PROMPT = 4

/**
 * An upstream's words, ended where they begin to repeat a part of a prompt. Each adapter hides what its vendor is known
 * to quote; this is for what nobody has seen yet.
 */
export function withoutPrompt(words: string, prompts: readonly string[]): string {
  return prompts.map(flatten).reduce(endAtQuote, words)
}

function endAtQuote(words: string, prompt: string): string {
  const length = Math.min(TELLING_LENGTH, prompt.length)
  if (length < SHORTEST_PROMPT) {
    return words
  }
  const flat = flatten(words)
  for (let at = 0; at + length <= flat.length; at += 1) {
    if (prompt.includes(flat.slice(at, at + length))) {
      return `${flat.slice(0, at)}[prompt]`
    }
  }
  return words
}

/** As texts look when they have been through JSON and a log. */
function flatten(text: string): string {
  return text
    .replace(/(\s|\\[nrt])+/g, ' ')
    .replace(/\\(["'\\])/g, '$1')
    .trim()
}
