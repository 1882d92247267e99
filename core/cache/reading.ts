// What the comparison knows of a prompt, read once: its content words with the prepositions that govern them, numbers, literals, and the
// words of grammar sorted into classes. Guards compare two readings and never look at text. Linear in the prompt's length.
import {
  be,
  designators,
  doAux,
  foreignWords,
  lightWords,
  modals,
  negators,
  persons,
  possessives,
  prepositions,
  quantifiers,
  subjects,
  tense,
  voidWords,
  wh,
} from './english/closed-classes.ts';
import { irregularForms } from './english/irregular.ts';
import { periods, times } from './english/times.ts';
import { units } from './english/units.ts';
import { dimensions, formats } from './english/vocabulary.ts';
import { type Piece, scan } from './scan.ts';
import { stemOf } from './stem.ts';
import { isArticle, MAX_TOKENS, type Token, wordTokens } from './word-tokens.ts';

/** A word with content of its own, a number or a literal, in the order of the prompt. */
export type Word = {
  readonly form: string;
  readonly stem: string;
  readonly kind: 'word' | 'number' | 'literal';
  /** A name, as far as capitals and digits tell: it has no synonyms and no plural. */
  readonly proper: boolean;
  /** What it says besides is nothing: see english/closed-classes.ts. */
  readonly light: boolean;
  readonly designator: boolean;
  /** The senses of the preposition that governs it, 0 for none. */
  readonly marker: number;
  readonly preposition: string;
  /** Right behind `which`, `what` or `how many`: it stands where the question puts it. */
  readonly asked: boolean;
  /** A participle behind a form of be: what stands before it suffers it. */
  readonly suffered: boolean;
  /** Number of its phrase: words with the same number stand under the same preposition. */
  readonly phrase: number;
  /** Followed by `of` or `for`, or behind a possessive: the designer of it. */
  readonly ofSomething: boolean;
  /** Nothing follows it but a sign. */
  readonly last: boolean;
  /** Behind `and`, `or` or a comma: a member of a list. */
  readonly listed: boolean;
  /** Place among all tokens, so that neighbours are known. */
  readonly at: number;
};

export type Amount = {
  readonly value: string;
  readonly ordinal: boolean;
  /** The word `one` or `single`, which says little more than `a`. */
  readonly soft: boolean;
  readonly unit: string | undefined;
  /** Stem of the word that is counted, as far as known. */
  readonly head: string | undefined;
  /** It is right before a plural: 4 rooms. */
  readonly counts: boolean;
};

/** A word of a closed class and the content it stands before. */
export type Mark = { readonly name: string; readonly head: string | undefined };

/** What kind of answer is asked for. `want` and `state`: I want to do something, I have something. `none`: a request, or key words. */
export type Question =
  | 'what'
  | 'who'
  | 'where'
  | 'when'
  | 'why'
  | 'how'
  | 'howto'
  | 'howmany'
  | 'howmuch'
  | 'yesno'
  | 'want'
  | 'state'
  | 'none';

export type Spoken = { readonly text: string; readonly isGrammar: boolean };

export type Reading = {
  readonly text: string;
  /** Whether the lists of this folder apply. */
  readonly english: boolean;
  /** Every token in order, for prompts whose language is not known. */
  readonly sequence: string;
  readonly words: readonly Word[];
  readonly literals: readonly string[];
  readonly amounts: readonly Amount[];
  readonly negations: readonly Mark[];
  readonly quantifiers: readonly Mark[];
  readonly possessives: readonly Mark[];
  /** Owners with an apostrophe, and what they own. */
  readonly genitives: readonly Mark[];
  readonly persons: readonly string[];
  readonly times: readonly string[];
  readonly formats: readonly string[];
  readonly prepositions: readonly string[];
  readonly conjunctions: readonly string[];
  /** Every token in order: the stem of what has content, the words of grammar as they stand. */
  readonly line: readonly Spoken[];
  readonly question: Question;
  readonly modal: string | undefined;
  /** Whether the modal is about a speaker in general: how can I, what should one. */
  readonly tense: 'present' | 'past' | undefined;
  readonly passive: boolean;
  /** A form of do before the subject. */
  readonly doSupport: boolean;
  /** A question word is the subject, or its determiner. */
  readonly asksFirst: boolean;
};

export function read(text: string): Reading {
  const pieces = scan(text);
  return new Reader(text, wordTokens(pieces), pieces).reading();
}

/** Words that end the noun phrase of a preposition. */
const endsPhrase = (form: string): boolean =>
  be.has(form) || doAux.has(form) || wh.has(form) || modals.has(form) || subjects.has(form) || form === 'that';

const ENGLISH_SHARE = 0.1;
const SHORT = 4;
const PARTICIPLE_REACH = 5;

class Reader {
  private readonly text: string;
  private readonly tokens: readonly Token[];
  private readonly pieces: readonly Piece[];
  private readonly words: Word[] = [];
  private readonly amounts: (Omit<Amount, 'head'> & { head: string | undefined })[] = [];
  private readonly negations: { name: string; head: string | undefined }[] = [];
  private readonly quantified: { name: string; head: string | undefined }[] = [];
  private readonly owned: { name: string; head: string | undefined }[] = [];
  private readonly genitives: { name: string; head: string | undefined }[] = [];
  private readonly people: string[] = [];
  private readonly literals: string[] = [];
  private readonly times: string[] = [];
  private readonly formats: string[] = [];
  private readonly prepositionsSeen: string[] = [];
  private readonly conjunctions: string[] = [];
  private readonly line: Spoken[] = [];
  private question: Question = 'none';
  private modal: string | undefined;
  private tense: 'present' | 'past' | undefined;
  private passive = false;
  private doSupport = false;
  private asksFirst = false;
  private asked = false;
  /** A question word stands behind in or at. */
  private inPlace = false;
  private phrase = 0;
  private marker = 0;
  private preposition = '';
  private sawBe = false;
  /** Marks that wait for the content they stand before. */
  private waiting: { head: string | undefined }[] = [];
  /** All caps or every word capitalised: capitals tell nothing. */
  private readonly shouted: boolean;

  constructor(text: string, tokens: readonly Token[], pieces: readonly Piece[]) {
    this.text = text;
    this.tokens = tokens;
    this.pieces = pieces;
    const words = pieces.filter(piece => piece.kind === 'word');
    const capitals = words.filter(piece => piece.capital !== 'none').length;
    this.shouted = words.length > 2 && capitals > words.length * 0.7;
  }

  reading(): Reading {
    for (let at = 0; at < this.tokens.length; at++) this.take(this.tokens[at]!, at);
    const {
      text,
      words,
      literals,
      amounts,
      negations,
      times: when,
      formats: shapes,
      conjunctions,
      question,
      modal,
      passive,
    } = this;
    return {
      text,
      english: this.isEnglish(),
      sequence: this.pieces
        .filter(({ kind }) => kind !== 'mark')
        .map(({ form }) => form)
        .join(' '),
      words,
      literals,
      amounts,
      negations,
      quantifiers: this.quantified,
      possessives: this.owned,
      genitives: this.genitives,
      persons: this.people,
      times: when.toSorted(),
      formats: shapes.toSorted(),
      prepositions: this.prepositionsSeen,
      conjunctions,
      line: this.line,
      question,
      modal,
      tense: this.tense,
      passive,
      doSupport: this.doSupport,
      asksFirst: this.asksFirst,
    };
  }

  /** Letters of other scripts, or hardly any word of English grammar, and the lists say nothing. */
  private isEnglish(): boolean {
    if (this.pieces.length > MAX_TOKENS) return false;
    if (/[^\p{ASCII}\p{Script=Latin}\p{P}\p{S}\p{N}\p{M}\s]/u.test(this.text)) return false;
    const count = this.pieces.filter(piece => piece.kind === 'word').length;
    let grammar = 0;
    let foreign = 0;
    for (const { kind, form } of this.pieces) {
      if (kind !== 'word') continue;
      if (voidWords.has(form) || prepositions.has(form) || modals.has(form) || form.includes("'")) grammar++;
      else if (foreignWords.has(form)) foreign++;
    }
    if (foreign > grammar) return false;
    return count <= SHORT ? !/[^\p{ASCII}\p{P}\p{S}\s]/u.test(this.text) : grammar >= count * ENGLISH_SHARE;
  }

  private take(token: Token, at: number): void {
    if (token.kind === 'mark') return this.endPhrase();
    const before = this.words.length;
    this.sort(token, at);
    const word = this.words[before];
    if (word) this.line.push({ text: word.stem, isGrammar: false });
    else if (!askVerbs.has(token.form))
      this.line.push({ text: classOf(token.form, this.tokens[at - 1]?.kind === 'number'), isGrammar: true });
  }

  private sort(token: Token, at: number): void {
    const { form, kind, capital } = token;
    if (kind === 'number') return this.takeNumber(token, at);
    if (kind === 'code' || kind === 'quote') return this.takeLiteral(token, at);
    if ((form === 'am' || form === 'pm') && this.tokens[at - 1]?.kind === 'number') return;
    if (capital === 'all' && form.length > 1 && !this.shouted && voidWords.has(form)) return this.takeContent(token, at);
    if (this.words.length === 0 && this.question === 'none' && askVerbs.has(form)) return;
    // What it does is what it is for.
    if (form === 'do' && this.doSupport && this.words.length > 0 && this.tokens[at + 1]?.kind !== 'word')
      return this.push(token, at, 'word', '~function', false);
    if (this.takeGrammar(token, at)) return;
    if (form === 'and' || form === 'or') this.conjunctions.push(form);
    if (endsPhrase(form)) this.endPhrase();
    if (!voidWords.has(form) && !form.startsWith('#')) this.takeContent(token, at);
  }

  private endPhrase(): void {
    this.asked = false;
    this.phrase++;
    this.marker = 0;
    this.preposition = '';
  }

  /** Sorts a word of a closed class; true where it has no content besides. */
  private takeGrammar({ form, capital, opens }: Token, at: number): boolean {
    if (this.question === 'none' && this.words.length === 0 && (form === 'i' || form === 'we')) this.question = 'state';
    if (form === '#want' && this.words.length === 0) this.question = 'want';
    if (this.takeQuestion(form, at)) return true;
    const before = this.tokens[at - 1]?.form ?? '';
    const after = this.tokens[at + 1]?.form ?? '';
    const time = tense.get(form);
    if (time) {
      if (doAux.has(form) || !this.isParticiple(at)) this.tense ??= time;
      if (at === 0 && this.question === 'none') this.question = 'yesno';
      if (doAux.has(form)) this.doSupport = true;
    }
    if (be.has(form)) this.sawBe = true;
    const modal = modals.get(form);
    if (modal && !(form === 'may' && capital === 'first' && !opens) && !(form === 'will' && isArticle(this.tokens[at - 1]))) {
      // `Can you translate ...` asks for a translation.
      const isRequest = at === 0 && after === 'you' && form !== 'should';
      if (at === 0 && this.question === 'none' && !isRequest) this.question = 'yesno';
      if (!isRequest) this.modal ??= modal;
      return true;
    }
    if (negators.has(form)) this.wait(this.negations, exceptions.get(form) ?? 'not');
    if (form === 'no' || form === 'not' || form === 'never' || form === 'none') return true;
    if (form === "'s" && this.words.length > 0) this.wait(this.genitives, `of ${this.words.at(-1)!.stem}`);
    const owner = possessives.get(form);
    if (owner) this.wait(this.owned, owner);
    const person = persons.get(form);
    if (person) this.people.push(person);
    if (this.takePreposition(form, before, at)) return true;
    if (this.takeTime(form, capital, opens, before, after)) return true;
    const quantifier = form === 'last' && !this.isLastOf(before, after) ? undefined : quantifiers.get(form);
    if (quantifier && !(periods.has(stemOf(after)) && (quantifier === 'last' || quantifier === 'next'))) {
      this.wait(this.quantified, quantifier);
      return true;
    }
    return quantifier !== undefined || (negators.has(form) && form !== 'lacking');
  }

  /** `The last train` and `last week` choose one; `does it last 2 days` has a verb. */
  private isLastOf(before: string, after: string): boolean {
    return (
      before === '' ||
      determiners.has(before) ||
      possessives.has(before) ||
      prepositions.has(before) ||
      periods.has(stemOf(after)) ||
      times.has(after)
    );
  }

  /** `is made` and `was made` ask the same of most things; `is the mayor` and `was the mayor` do not. */
  private isParticiple(at: number): boolean {
    return this.tokens.slice(at + 1, at + PARTICIPLE_REACH).some(({ form }) => isPast(form));
  }

  private wait(list: { name: string; head: string | undefined }[], name: string): void {
    const mark = { name, head: undefined };
    list.push(mark);
    this.waiting.push(mark);
  }

  private takeQuestion(form: string, at: number): boolean {
    const asked = form.startsWith('#') ? tags.get(form) : wh.get(form);
    if (asked === undefined) return false;
    // Which of two question words asks: the first, unless it is inside a clause (`tell me who`), which is then the first as well.
    if (form === '#howmany' && this.question !== 'none') {
      this.takeContent({ ...this.tokens[at]!, form: 'number' }, at);
      return true;
    }
    this.inPlace = locative.has(this.tokens[at - 1]?.form ?? '');
    if (this.question === 'none' || this.question === 'state' || this.question === 'want' || this.question === 'yesno') {
      const isClause = this.question !== 'none';
      if (!isClause) this.question = asked as Question;
      this.asksFirst = at <= 1;
    }
    this.endPhrase();
    this.asked = asked === 'what' || asked === 'howmany' || asked === 'howmuch';
    return true;
  }

  private takePreposition(form: string, before: string, at: number): boolean {
    const senses = prepositions.get(form);
    if (senses === undefined) return false;
    this.asked = false;
    const next = this.tokens[at + 1];
    const compares = isAmount(next, this.tokens[at + 2]) ? amountComparisons.get(form) : undefined;
    if (compares) {
      this.wait(this.quantified, compares);
      return true;
    }
    this.phrase++;
    this.marker = senses;
    this.preposition = form;
    this.prepositionsSeen.push(form);
    if (form === 'by' && (this.sawBe || isPast(before))) this.passive = true;
    return true;
  }

  private takeTime(form: string, capital: Piece['capital'], opens: boolean, before: string, after: string): boolean {
    const ambiguous = form === 'may' || form === 'fall' || form === 'spring' || form === 'march';
    const inTime = prepositions.has(before) || periods.has(before) || /^(?:last|this|next|the|early|late|every)$/.test(before);
    const name = ambiguous ? (capital === 'first' && !opens) || (inTime && before !== 'to') : true;
    const time = name ? (times.get(form) ?? times.get(`#${form}`)) : undefined;
    if (time) this.times.push(boundaries.has(this.preposition) ? `${boundaries.get(this.preposition)} ${time}` : time);
    const chooses = quantifiers.get(form);
    const period = stemOf(after);
    const pointer = chooses === 'last' || chooses === 'next' ? chooses : form === 'this' ? 'this' : undefined;
    if (pointer && (periods.has(period) || times.has(after))) this.times.push(`${pointer} ${times.get(after) ?? period}`);
    return time !== undefined;
  }

  private takeNumber(token: Token, at: number): void {
    const minutes = minutesOf(token.form, this.tokens[at + 1]?.form);
    if (minutes !== undefined) {
      this.times.push(`at ${minutes}`);
      return this.push(token, at, 'number', `#at${minutes}`, false);
    }
    const soft = token.form === '1~';
    const ordinal = token.form.endsWith('th');
    const value = soft ? '1' : ordinal ? token.form.slice(0, -2) : token.form;
    const before = this.tokens[at - 1];
    const after = this.tokens[at + 1];
    const unit = after?.kind === 'word' ? units.get(after.form) : undefined;
    const isOfName = before?.kind === 'word' && before.capital !== 'none' && !before.opens;
    const counts = after?.kind === 'word' && /[^s]s$/.test(after.form) && unit === undefined && !isOfName;
    const amount = { value, ordinal, soft, unit, head: unit, counts };
    this.amounts.push(amount);
    this.push(token, at, 'number', `#${value}`, false);
    if (unit === undefined) this.waiting.push(amount);
  }

  private takeLiteral(token: Token, at: number): void {
    this.literals.push(token.form);
    this.push(token, at, 'literal', `\`${token.form}`, true);
  }

  private takeContent(token: Token, at: number): void {
    const { form, capital, opens } = token;
    const previous = this.tokens[at - 1];
    if (previous?.kind === 'number' && units.has(form)) return;
    const isId = /\d/.test(form);
    // In which city is where.
    const isPlace = this.asked && this.inPlace && this.question === 'what' && places.has(form);
    if (isPlace) this.question = 'where';
    const format = formats.get(form) ?? (this.isInWords(form, at) ? 'words' : undefined);
    if (format) this.formats.push(format);
    const proper = isId || (!this.shouted && (capital === 'mixed' || capital === 'all' || (capital === 'first' && !opens)));
    const stem = proper && capital !== 'none' ? form : (dimensions.get(form) ?? this.measured(form, previous) ?? stemOf(form));
    this.push(token, at, 'word', stem, proper, isPlace);
  }

  /** `in one word` says how the answer is to be; `the word for it` does not. */
  private isInWords(form: string, at: number): boolean {
    if (form !== 'word' && form !== 'words') return false;
    let before = at - 1;
    while (this.tokens[before]?.kind === 'number' || /^(?:a|one|single|few)$/.test(this.tokens[before]?.form ?? '')) before--;
    return this.tokens[before]?.form === 'in';
  }

  /** `how long` asks for the length. */
  private measured(form: string, previous: Token | undefined): string | undefined {
    const dimension = previous?.form === 'how' ? dimensions.get(`how ${form}`) : undefined;
    if (dimension) this.question = 'what';
    return dimension;
  }

  private push(token: Token, at: number, kind: Word['kind'], stem: string, proper: boolean, isLight = false): void {
    const { form } = token;
    if (kind !== 'number') {
      for (const mark of this.waiting) mark.head ??= stem;
      this.waiting = [];
    }
    this.words.push({
      form,
      stem,
      kind,
      proper,
      light:
        isLight ||
        (kind === 'word' && !proper && (lightWords.has(stem) || lightWords.has(form) || this.tokens[at - 1]?.form === '#when')),
      designator: designators.has(form),
      marker: this.marker,
      preposition: this.preposition,
      asked: this.asked,
      suffered: kind === 'word' && isPast(form) && (this.sawBe || this.tokens[at + 1]?.form === 'by'),
      phrase: this.phrase,
      last: this.tokens[at + 1]?.kind !== 'word',
      listed: joins.has(this.tokens[at - 1]?.form ?? ''),
      ofSomething: ofOrFor.has(this.tokens[at + 1]?.form ?? '') || this.tokens[at - 1]?.form === "'s",
      at,
    });
  }
}

/** Minutes since midnight of `18:00`, `7 pm`, `7:30 am`. */
function minutesOf(form: string, half: string | undefined): number | undefined {
  const found = /^(\d{1,2})(?::(\d\d))?$/.exec(form);
  const isHalf = half === 'am' || half === 'pm';
  if (!found || (found[2] === undefined && !isHalf)) return undefined;
  const hours = isHalf ? (Number(found[1]) % 12) + (half === 'pm' ? 12 : 0) : Number(found[1]);
  return hours * 60 + Number(found[2] ?? 0);
}

/** At the beginning they ask no more than `what` does. */
const askVerbs = new Set(
  'tell give show list find name identify provide explain describe define state calculate compute'.split(' '),
);

const isPast = (form: string): boolean =>
  /.(?:ed|en)$/.test(form) || (irregularForms.has(form) && irregularForms.get(form) !== form);

const exceptions: ReadonlyMap<string, string> = new Map([
  ['except', 'except'],
  ['excluding', 'except'],
  ['unless', 'unless'],
]);
const determiners = new Set(['the', 'a', 'this', 'that', "'s", 'and', 'or']);
/** What a time is a limit of: since Tuesday, until Tuesday. */
const boundaries: ReadonlyMap<string, string> = new Map([
  ['since', 'since'],
  ['from', 'since'],
  ['until', 'until'],
  ['till', 'until'],
  ['before', 'before'],
  ['#before', 'before'],
  ['after', 'after'],
  ['by', 'by'],
]);
const locative = new Set(['in', 'at']);
const places = new Set('place location city country town venue site region state'.split(' '));

const joins = new Set(['and', 'or', ',', 'vs', 'versus', '&']);
const ofOrFor = new Set(['of', 'for']);

const isAmount = (token: Token | undefined, next: Token | undefined): boolean =>
  token?.kind === 'number' || (isArticle(token) && next?.kind === 'word' && units.has(next.form) && next.form.length > 2);

/** A word of grammar by its class, where a guard of its own compares the members. */
const classOf = (form: string, isCounted: boolean): string => {
  if (tags.has(form) || wh.has(form)) return '#question';
  if (times.has(form)) return '#time';
  return quantifiers.get(form) ?? (isCounted && units.has(form) ? '#unit' : form);
};

/** Before a number: over 80 is more than 80. */
const amountComparisons: ReadonlyMap<string, string> = new Map([
  ['over', 'more'],
  ['above', 'more'],
  ['under', 'less'],
  ['below', 'less'],
]);

const tags: ReadonlyMap<string, Question> = new Map([
  ['#howto', 'howto'],
  ['#how', 'how'],
  ['#why', 'why'],
  ['#when', 'when'],
  ['#where', 'where'],
  ['#howmany', 'howmany'],
  ['#howmuch', 'howmuch'],
]);
