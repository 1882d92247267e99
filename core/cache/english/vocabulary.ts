// General vocabulary that questions put in two ways: an adjective after `how`, or the noun of what is measured; and the forms in which
// an answer may be asked for.

const pairs = (groups: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(groups).flatMap(([name, list]) => list.split(', ').map(word => [word, name] as const)));

/** What is measured, by its noun or by `how` and its adjective. */
export const dimensions: ReadonlyMap<string, string> = pairs({
  '~length': 'length, duration, how long',
  '~height': 'height, how tall, how high',
  '~depth': 'depth, how deep',
  '~width': 'width, breadth, how wide, how broad',
  '~weight': 'weight, how heavy',
  '~speed': 'speed, velocity, how fast, how quick, how quickly',
  '~age': 'age, how old',
  '~distance': 'distance, how far',
  '~size': 'size, how big, how large',
  '~temperature': 'temperature, how hot, how cold, how warm',
  '~frequency': 'frequency, how often, how frequently',
  '~thickness': 'thickness, how thick',
  '~price': 'price, cost, costs, how expensive',
  '~function': 'function, purpose',
  '~difficulty': 'difficulty, how difficult, how hard',
});

/** Form and register of an answer, and languages' worth of it: closed enough to be compared as sets. */
export const formats: ReadonlyMap<string, string> = pairs({
  json: 'json',
  yaml: 'yaml, yml',
  csv: 'csv',
  xml: 'xml',
  html: 'html',
  markdown: 'markdown',
  table: 'table, tabular',
  list: 'bullet, bullets, bulleted',
  numbered: 'numbered',
  paragraph: 'paragraph, paragraphs',
  sentence: 'sentence, sentences',
  essay: 'essay',
  poem: 'poem',
  haiku: 'haiku',
  sonnet: 'sonnet',
  limerick: 'limerick',
  email: 'email',
  tweet: 'tweet',
  letter: 'letter',
  summary: 'summary',
  outline: 'outline',
  short: 'short, brief, briefly, concise, concisely',
  long: 'detailed, detail, thorough, thoroughly, lengthy',
  formal: 'formal, formally',
  informal: 'informal, informally, casual, casually',
});
