// Phrases that are one word to the comparison: frames of questions, idioms of grammar. `a|b` is either, `?` may be missing.
// A right side that begins with # is a tag which only the classes of this folder know; an empty one drops the phrase.

const table: readonly (readonly [pattern: string, becomes: string])[] = [
  // Asking to be told.
  ['can|could|would|will you please|kindly? tell|give|show|explain|help me?', ''],
  ['can|could|would|will you please|kindly', ''],
  ['please? tell|give|show|remind me about?', ''],
  ['i would|d? like|want|need to know|find|learn|understand out?', ''],
  ['i am? wondering|wonder|curious if|whether|about?', ''],
  ['i was wondering if|whether|about?', ''],
  ['do you know if|whether?', ''],
  ['does anyone|anybody know', ''],
  ['let me know', ''],
  ['help me understand?', ''],
  ['thank you', ''],
  ['for me', ''],
  ['quick question', ''],
  // Wanting something done.
  ['i really|just? want|need|wish|intend|plan to', '#want'],
  ['i would|d like to', '#want'],
  ['i am trying|looking|hoping to', '#want'],
  // How something is done.
  ['how do|can|could|should|would|might|must|may|shall i|you|we|one|they|people|someone', '#howto'],
  ['how does one|someone', '#howto'],
  ['how to', '#howto'],
  ['how am|are i|we|you supposed to', '#howto'],
  ['how would i|one|you go about', '#howto'],
  [
    'what is the|a best|right|proper|correct|good|usual|recommended? way|method|procedure|process|approach|technique to|of|for',
    '#howto',
  ],
  ['what are the|some best|right|proper|good|possible? ways|steps|methods|techniques|instructions to|of|for', '#howto'],
  ['steps|instructions|ways|way|method to|for', '#howto'],
  ['what can|should|must|could|do|would i|we|you|one do? to', '#howto'],
  ['what do i|we|you need|have to do to', '#howto'],
  ['what steps do|should|must i take to', '#howto'],
  ['what|which command|query|statement|code|syntax|function', '#howto'],
  ['what is the command|query|statement|code|syntax|function to|for', '#howto'],
  ['what is the formula for|of', '#howto calculate'],
  ['is there a|any good|easy|simple? way to|of', '#howto'],
  ['in what|which way do|can|does|is|are?', '#how'],
  ['what is|are the main|key? difference|differences between', '#how differ'],
  // Reasons.
  ['how come', '#why'],
  ['what is the reason that|why|for|of|behind?', '#why'],
  ['for what|which reason', '#why'],
  ['what makes|made', '#why'],
  ['what causes|caused', '#why'],
  ['what is|are|was|were the cause|causes|reasons of|for|behind', '#why'],
  // Time and place.
  ['in|at|on|during? what|which year', '#when year'],
  ['in|at|on|during? what|which month', '#when month'],
  ['in|at|on|during? what|which day', '#when day'],
  ['in|at|on|during? what|which date', '#when date'],
  ['in|at|on|during? what|which century', '#when century'],
  ...'is are was were do does did will would can could should'
    .split(' ')
    .map(verb => [`at? what|which time ${verb}`, `#when time ${verb}`] as const),
  ['in|under what|which cases|case|situations|circumstances|conditions', '#when'],
  ['in|at what|which place|location', '#where'],
  ['what is the location of', '#where'],
  // Amounts.
  ['how many', '#howmany'],
  ['how much', '#howmuch'],
  ['what is the total|exact? number|count|amount of', '#howmany'],
  ['what number of', '#howmany'],
  ['the total|exact? number|count|amount of', '#howmany'],
  ['what|which amount of', '#howmuch'],
  // Modals in many words.
  ['is|would it be? possible|ok|okay|fine|allowed|permitted|acceptable to|for|if i|we|one?', '#can'],
  ['am|are i|we|you allowed|able|permitted to', '#can'],
  ['do|does i|we|you|one have|need to', '#must'],
  ['am|are i|we|you required|obliged to', '#must'],
  ['is it necessary|required|mandatory|obligatory to|for', '#must'],
  ['have|has|had to', '#must'],
  ['is it a good idea|advisable|recommended|wise to', '#should'],
  ['is|are|am going to', '#will'],
  ['how far away', 'how far'],
  ['in depth', 'in detail'],
  // Kinds.
  ['what|which kind|kinds|type|types|sort|sorts of', 'what'],
  // Quantity.
  ['a lot of?', '#alot'],
  ['lots|plenty of', '#alot'],
  ['a few', '#afew'],
  ['a couple of', 'two'],
  ['at least', '#atleast'],
  ['no less|fewer than', '#atleast'],
  ['or more|above|over', '#atleast'],
  ['at most', '#atmost'],
  ['no more than', '#atmost'],
  ['or less|fewer|below|under', '#atmost'],
  ['up to', '#atmost'],
  ['more|greater than', '#morethan'],
  ['less|fewer than', '#lessthan'],
  ['each other', 'mutual'],
  // Prepositions in many words.
  ['prior to', '#before'],
  ['in front of', '#infront'],
  ['on top of', '#ontop'],
  ['next|close to', '#nextto'],
  ['far from', '#farfrom'],
  ['away from', '#farfrom'],
  ['out of', '#outof'],
  ['instead|in place of', '#instead'],
  ['in place of', '#instead'],
  ['rather than', '#instead'],
  ['because|on account of', 'because'],
  ['due|owing|thanks to', 'because'],
  ['by means of', 'with'],
  ['as well as', 'and'],
  ['in order to', 'to'],
  ['such as', 'like'],
  ['right now', 'now'],
  ['at the moment', 'now'],
  ['at present', 'now'],
  ['these days', 'now'],
  ['the day after tomorrow', '#dayaftertomorrow'],
  ['the day before yesterday', '#daybeforeyesterday'],
  // Verbs in many words.
  ['get|gets|getting|got rid of', 'remove'],
  ['log|logging|logged|sign|signing|signed in|into|on', 'login'],
  ['log|logging|logged|sign|signing|signed out|off', 'logout'],
  ['sign|signing|signed up', 'register'],
  ['set|setting up', 'setup'],
  ['bring|brings|brought down', 'lower'],
  ['turn|turns|turning|turned|switch|switching|switched on', 'enable'],
  ['turn|turns|turning|turned|switch|switching|switched off', 'disable'],
  ['find out', 'discover'],
  ['look|looking for', 'find'],
];

/** A phrase as a tree of words; at a leaf, what it becomes. */
export type PhraseTree = { readonly next: Map<string, PhraseTree>; becomes?: readonly string[] };

export const phrases: PhraseTree = { next: new Map() };
for (const [pattern, becomes] of table) {
  let ends: PhraseTree[] = [phrases];
  for (const part of pattern.split(' ')) {
    const alternatives = part.replace('?', '').split('|');
    const further = ends.flatMap(end =>
      alternatives.map(word => {
        const known = end.next.get(word) ?? { next: new Map() };
        end.next.set(word, known);
        return known;
      }),
    );
    ends = part.endsWith('?') ? [...new Set([...ends, ...further])] : [...new Set(further)];
  }
  // The first phrase of the table wins where two come to the same words.
  for (const end of ends) if (end !== phrases) end.becomes ??= becomes === '' ? [] : becomes.split(' ');
}
