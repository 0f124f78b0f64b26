export const MAX_ALT_LENGTH = 250

/** Words that need no article before them, or that are one. */
const DETERMINERS =
  /^(an?|the|this|that|these|those|my|your|his|her|its|our|their|some|any|no|every|each|all|both|many|several|few|one|two|three|four|five|six|seven|eight|nine|ten|dozens?|hundreds?|lots|people|someone|nothing|\d+)$/i
const PREPOSITIONS =
  /^(of|in|on|at|with|without|under|over|near|by|from|to|into|and|or|for|as|that|which|who|where|while|during|inside|behind|above|below|between|against|around|through|across|during|before|after|is|are|was)$/i
/** Things that are not counted: "a photo of water". */
const UNCOUNTED =
  /^(water|snow|rain|fog|mist|smoke|fire|ice|sand|grass|lava|lightning|food|coffee|tea|bread|art|music|nature|space|love|wood|gold|silver|glass|traffic|furniture|clothing|jewelry|architecture|scenery|wildlife|children|men|women|mice|geese|sheep|fish|deer|feet)$/i
const ALREADY_A_PICTURE =
  /^(an?|the)\s+([\w-]+\s+){0,3}(photo|photograph|picture|image|illustration|painting|drawing|watercolou?r|sketch|render|rendering|portrait|poster|logo|icon|cartoon|diagram|scene|view|close-?up|shot)\b/i
const COMMAND =
  /^(please\s+)?(generate|create|make|draw|paint|render|design|produce|show|imagine|illustrate|sketch|give me|i want|i need)(\s+(me|us))?\s+(?=\S)/i
const DANGLING =
  /\s+(an?|the|and|or|with|of|in|on|at|by|for|from|to|into|as|that|which|who|while|under|over|near|is|are|very)$/i

/** One English sentence about a picture of `prompt`; `kind` is how it begins, such as "A watercolor painting of". */
export function describePicture(prompt: string, kind: string): string {
  const subject = plain(prompt).replace(COMMAND, '')
  if (subject === '') {
    return kind.replace(/ of$/, '')
  }
  if (ALREADY_A_PICTURE.test(subject)) {
    return trimAlt(capitalize(subject))
  }
  return trimAlt(`${kind} ${withArticle(subject)}`)
}

/** A text of at most 250 characters that ends at a word, without loose words or punctuation behind it. */
export function trimAlt(text: string): string {
  let cut = plain(text)
  if (cut.length > MAX_ALT_LENGTH) {
    const head = cut.slice(0, MAX_ALT_LENGTH + 1)
    const lastSpace = head.lastIndexOf(' ')
    cut = lastSpace > MAX_ALT_LENGTH / 2 ? head.slice(0, lastSpace) : head.slice(0, MAX_ALT_LENGTH)
    cut = cut.toWellFormed().replace(/\uFFFD$/, '')
    for (let loose = DANGLING; loose.test(stripEnd(cut)); ) {
      cut = stripEnd(cut).replace(loose, '')
    }
  }
  return stripEnd(cut)
}

function stripEnd(text: string): string {
  return text.replace(/[\s,;:.\u2013\u2014\u2026/\\|(['"\u2018\u201C&+-]+$/u, '')
}

/** One line without line breaks and invisible characters. */
function plain(text: string): string {
  return text
    .slice(0, 4000)
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/\p{Bidi_Control}/gu, '')
    .trim()
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** "tabby cat with green eyes" gets its "a", "apple" an "an"; plurals, names and whole sentences stay as they are. */
function withArticle(subject: string): string {
  const words = subject.split(' ')
  const first = words[0] ?? ''
  if (DETERMINERS.test(first)) {
    return first.toLowerCase() + subject.slice(first.length)
  }
  if (!/^[a-z][a-z'-]*,?$/.test(first) || /[^s]ing$/.test(first) || PREPOSITIONS.test(first)) {
    return subject
  }
  const end = words.findIndex((word, index) => index > 0 && PREPOSITIONS.test(word))
  const phrase = words.slice(0, end < 0 ? words.length : end)
  const comma = phrase.findIndex((word) => /[,.;:!?]$/.test(word) && !/^\w+,$/.test(word))
  const head = (phrase.slice(0, comma < 0 ? undefined : comma + 1).at(-1) ?? first).replace(/\W+$/, '')
  const isPlural = /s$/i.test(head) && !/(ss|us|is|as)$/i.test(head)
  if (phrase.length > 5 || isPlural || UNCOUNTED.test(head) || !/^[a-z'-]+$/i.test(head)) {
    return subject
  }
  return `${/^([aeio]|u(?!ni|s[aei]|ti|k))/i.test(first) && !/^(one|once|eu)/i.test(first) ? 'an' : 'a'} ${subject}`
}
