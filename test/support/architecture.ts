// The import rules (ARCHITECTURE.md, "Who may import whom") as data, and the checks that read them. Sources come in as text, so that the checks can be
// checked: architecture.test.ts runs them over the project and over made-up violations.
import path from 'node:path';
import { importsOf } from './imports.ts';
import { type Token, tokensOf } from './tokens.ts';

/** Text of each file by its path from the project's root. */
export type Sources = ReadonlyMap<string, string>;

export type Rule = {
  /** Glob of the files it is for; `<name>` is one path segment, the same wherever it stands in the rule. */
  readonly from: string;
  /** Globs of what they may import: paths from the root, `node:x`, `npm:x`. */
  readonly may: readonly string[];
  readonly why: string;
};

const extensionPoint = ['core/chat/**', 'core/unary/**', 'core/failure.ts', 'core/units.ts', 'core/snapshot/**', 'core/json/**'];
/** The request loop is serve.ts; these are its steps, one file each. */
const loopSteps =
  'dataplane/{answer,aside,attempt,attempt-over,background,batches,bounds,cached,call,cascade,continue,count-tokens,dispatch,exchange,fallback-budget,hedge,held-answer,hold,keeping,last-stage,needs,open,overheard,pinned,prepare,prepare-passed,prepare-unary,replay,scorer,settle,trip,unknown-prices,upstream-request,visit,waterfall}.ts';
const loop = [loopSteps, 'dataplane/ports.ts'];
const libraries = ['node:**', 'npm:**'];

/** The first rule whose `from` fits a file is the one that holds for it. */
const importRules: readonly Rule[] = [
  { from: 'test/**', may: ['**'], why: 'tests may look at everything' },
  {
    from: 'core/**/*.test.ts',
    may: ['core/**', 'test/support/**', ...libraries],
    why: 'a test of core needs nothing but core: what needs more is no unit test of a pure function',
  },
  {
    from: 'platform/**/*.test.ts',
    may: ['platform/**', 'test/support/**', ...libraries],
    why: 'platform knows sockets, not tenants; so do its tests',
  },
  {
    from: 'dataplane/**/*.test.ts',
    may: ['core/**', 'platform/**', 'dataplane/**', 'test/support/**', ...libraries],
    why: 'the data plane and the operator meet only in core/snapshot; so do their tests',
  },
  {
    from: 'operator/runtime/**/*.test.ts',
    may: ['operator/runtime/**', 'platform/**', 'test/support/**', ...libraries],
    why: 'a controller runtime, not our controllers; so are its tests',
  },
  {
    from: 'operator/**/*.test.ts',
    may: ['core/**', 'platform/**', 'operator/**', 'test/support/**', ...libraries],
    why: 'the data plane and the operator meet only in core/snapshot; so do their tests',
  },
  {
    from: 'core/resources/**',
    may: ['core/**', 'npm:zod'],
    why: 'core is pure, so that every decision can be replayed; zod is allowed here because the schemas are the resources',
  },
  { from: 'core/**', may: ['core/**'], why: 'core is pure, so that every decision can be replayed: no node: module, no package' },
  { from: 'platform/**', may: ['platform/**', ...libraries], why: 'platform knows sockets, not tenants' },
  {
    from: 'operator/admin/key-api.ts',
    may: [
      'core/**',
      'platform/**',
      'operator/**',
      'dataplane/admin/{admin-ports,audit,express-app,key-routes}.ts',
      'dataplane/config/live.ts',
      'dataplane/http/listener.ts',
      'dataplane/ports.ts',
      ...libraries,
    ],
    why: 'keys are administered by the same handlers in a cluster and without one; of the data plane that is all the operator may know',
  },
  {
    from: 'operator/admin/key-objects.ts',
    may: ['core/**', 'platform/**', 'operator/**', 'dataplane/ports.ts', ...libraries],
    why: 'it is a key store, as the administration of keys asks for one',
  },
  {
    from: 'operator/main.ts',
    may: ['core/**', 'platform/**', 'operator/**', 'cli/settings.ts', ...libraries],
    why: 'main.ts chooses implementations, of its own process',
  },
  {
    from: 'operator/runtime/**',
    may: ['operator/runtime/**', 'platform/**', ...libraries],
    why: 'a controller runtime, not our controllers',
  },
  {
    from: 'operator/**',
    may: ['core/**', 'platform/**', 'operator/**', ...libraries],
    why: 'the data plane and the operator meet only in core/snapshot',
  },
  {
    from: 'dataplane/main.ts',
    may: ['core/**', 'platform/**', 'dataplane/**', 'cli/settings.ts', ...libraries],
    why: 'main.ts chooses implementations, of its own process',
  },
  {
    from: 'dataplane/serve.ts',
    may: ['core/**', ...loop, 'dataplane/hooks/hook-run.ts', 'dataplane/frontends/index.ts', 'dataplane/providers/index.ts'],
    why: 'the loop knows the core, its own steps, the ports and the tables of frontends and providers: no Redis, SQL or Kubernetes in it',
  },
  {
    from: loopSteps,
    may: [
      'core/**',
      ...loop,
      'dataplane/{authenticate,head,request-headers}.ts',
      'dataplane/config/live.ts',
      // Interfaces.
      'dataplane/{admission/admission,cache/store,counters/counters,pins/pins}.ts',
      'dataplane/http/{client-response,sse}.ts',
      'dataplane/relay/**',
      'dataplane/passthrough/**',
      'dataplane/hooks/unseen.ts',
      'dataplane/frontends/{body-fields,index,frontend}.ts',
      'dataplane/providers/{index,provider}.ts',
      'platform/{body,http-ask,http-client}.ts',
      'node:{buffer,http}',
    ],
    why: 'the steps of the loop reach stores, clock and chance through ports.ts only',
  },
  {
    from: 'dataplane/hooks/**',
    may: [
      'core/**',
      'dataplane/{answer,call,exchange,open,ports,trip}.ts',
      'dataplane/http/{client-response,sse}.ts',
      'dataplane/hooks/**',
      'platform/{http-ask,http-client}.ts',
    ],
    why: 'a hook stands between the loop and its client: it knows what is asked and what is sent, and no provider',
  },
  {
    from: 'dataplane/passthrough/**',
    may: [
      'core/**',
      'dataplane/{attempt,authenticate}.ts',
      'dataplane/config/live.ts',
      'dataplane/pins/pins.ts',
      'dataplane/http/{listener,sse}.ts',
      'dataplane/frontends/{controls,essentials,frontend,index,references,unary-body}.ts',
      'dataplane/providers/{index,provider}.ts',
      'dataplane/passthrough/**',
      'platform/http-client.ts',
      'node:{buffer,http,stream}',
    ],
    why: 'what is passed on is understood as far as it costs and names something: tables and readers, which the loop uses as it does frontends and providers',
  },
  {
    from: 'dataplane/providers/<name>/**',
    may: [
      ...extensionPoint,
      'dataplane/providers/<name>/**',
      'dataplane/providers/*/index.ts',
      'dataplane/providers/{error-rules,leaving-out,listed-tools,provider,retry-after,scrub,turns,wire}.ts',
      // AWS's frames and signatures: no domain in them, and a hash of Node's.
      'platform/aws-{event-stream,signature}.ts',
    ],
    why: 'a stranger can write a provider: the neutral model, the failure table, units, the snapshot and the provider interface are all it needs, and another provider is used through its index.ts',
  },
  {
    from: 'dataplane/frontends/<name>/**',
    may: [
      ...extensionPoint,
      'dataplane/frontends/<name>/**',
      'dataplane/frontends/*/index.ts',
      'dataplane/frontends/{body-fields,cited-words,controls,data-url,encoder,essentials,frontend,reading,references,tool-input,unary-body}.ts',
      // A dialect's own count of tokens is an estimate: pure, but its tables are a package.
      'platform/token-estimate.ts',
      'platform/aws-event-stream.ts',
    ],
    why: 'a stranger can write a frontend: the neutral model, the failure table, units and the frontend interface are all it needs, and another frontend is used through its index.ts',
  },
  {
    from: 'dataplane/**',
    may: ['core/**', 'platform/**', 'dataplane/**', ...libraries],
    why: 'the data plane and the operator meet only in core/snapshot',
  },
  {
    from: 'simulator/**',
    may: ['simulator/**', ...libraries],
    why: 'the simulator is what the gateway is tested against: sharing code would share its mistakes',
  },
  {
    from: 'deploy/**',
    may: ['deploy/**', 'npm:yaml'],
    why: 'dashboards and alerts know metrics by name alone, as Prometheus does; a test holds the names against those that there are',
  },
  {
    from: 'cli/**',
    // package.json: the version of the bundled price list is the version of its package.
    may: [
      'core/**',
      'platform/**',
      'operator/**',
      'dataplane/**',
      'deploy/**',
      'simulator/**',
      'cli/**',
      'package.json',
      ...libraries,
    ],
    why: 'the command line chooses implementations; tests are not part of the product',
  },
];

/** One sentence per import that no rule allows. */
export function importViolations(sources: Sources, rules = importRules): string[] {
  return [...sources].flatMap(([file, text]) => {
    const rule = rules.find(candidate => glob(candidate.from).test(file));
    if (!rule) return [`${file}: no import rule covers this file; ARCHITECTURE.md has a place for it`];
    const name = glob(rule.from).exec(file)?.[1];
    const allowed = rule.may.map(pattern => glob(name ? pattern.replaceAll('<name>', name) : pattern));
    return importsOf(text).flatMap(({ specifier, line }) => {
      if (specifier === undefined)
        return allowsAnything(rule) ? [] : [`${file}:${line} imports a computed path, which nobody can check`];
      const target = resolved(file, specifier);
      return allowed.some(pattern => pattern.test(target))
        ? []
        : [`${file}:${line} imports ${specifier}, against the rule: ${rule.why}`];
    });
  });
}

const allowsAnything = (rule: Rule): boolean => rule.may.includes('**');

/** A path from the root, `node:x` or `npm:x`. Aliases are those of package.json: `#core/x` is core/x. */
function resolved(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(file), specifier);
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('node:')) return specifier;
  return `npm:${specifier}`;
}

/** `**` is any path, `*` anything within a segment, `{a,b}` either, `<name>` one segment, captured. */
function glob(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/|\*\*|\*|<name>|\{[^}]*\})/).map(part => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '<name>') return '([^/]+)';
    if (part.startsWith('{')) return `(?:${part.slice(1, -1).replaceAll(',', '|')})`;
    return RegExp.escape(part);
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** One line per import cycle, type imports included: a cycle of types is still two modules that cannot be understood apart. */
export function importCycles(sources: Sources): string[] {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) cycles.push([...trail.slice(start), file].join(' -> '));
    if (start >= 0 || finished.has(file)) return;
    for (const target of ownImports(file, sources)) visit(target, [...trail, file]);
    finished.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return cycles;
}

function ownImports(file: string, sources: Sources): string[] {
  const targets = importsOf(sources.get(file)!).flatMap(({ specifier }) => (specifier ? [resolved(file, specifier)] : []));
  return [...new Set(targets)].filter(target => sources.has(target));
}

/**
 * One sentence per import of a module that is loaded when it is needed, in what `from` comes to load, that `from` does not load: each start
 * would compile that module anew.
 * @param from imports all that it is to be compiled
 */
export function coldImports(sources: Sources, from: string): string[] {
  const warm = new Set<string>();
  const load = (target: string): void => {
    if (warm.has(target)) return;
    warm.add(target);
    for (const { specifier, loads } of importsOf(sources.get(target) ?? ''))
      if (specifier && (loads === 'at-once' || (target === from && loads === 'when-needed'))) load(resolved(target, specifier));
  };
  load(from);
  return [...warm].flatMap(file =>
    importsOf(sources.get(file) ?? '').flatMap(({ specifier, line, loads }) =>
      loads === 'when-needed' && specifier && !warm.has(resolved(file, specifier))
        ? [`${file}:${line} imports ${specifier} when it is needed, which ${from} does not compile`]
        : [],
    ),
  );
}

/** What core/ must not reach for: the clock, chance, the process, timers, the network, the terminal. */
const impure = new Set([
  'process',
  'console',
  'performance',
  'fetch',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'crypto',
  'globalThis',
]);
const impureMembers = new Set(['Date.now', 'Math.random', 'Temporal.Now']);

/** One sentence per use of something impure in core/, its tests left out. */
export function impurities(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    if (!file.startsWith('core/') || file.endsWith('.test.ts')) return [];
    const tokens = tokensOf(text);
    return tokens.flatMap((token, at) => {
      const name = impureNameAt(tokens, at);
      return name ? [`${file}:${token.line} uses ${name}: core is pure, time and chance are arguments`] : [];
    });
  });
}

function impureNameAt(tokens: readonly Token[], at: number): string | undefined {
  const [before, token, after, member, afterMember] = [-1, 0, 1, 2, 3].map(offset => tokens[at + offset]?.text);
  if (token === undefined || tokens[at]?.kind !== 'word' || before === '.' || before === '?.') return undefined;
  if (after === '.' && impureMembers.has(`${token}.${member}`)) return `${token}.${member}`;
  if (token === 'Date' && before === 'new' && (after !== '(' || member === ')')) return 'new Date()';
  if (token === 'Date' && before !== 'new' && after === '(' && afterMember !== undefined) return 'Date()';
  const isPropertyName = (after === ':' && before !== '?') || (after === '?' && member === ':');
  return impure.has(token) && !isPropertyName ? token : undefined;
}

/** The files whose text must name no implementation. */
export const isLoop = (file: string): boolean => file === 'dataplane/serve.ts' || glob(loopSteps).test(file);

/** Words of implementations that the request loop must not know, comments included. */
const implementationWords =
  /\b(redis|ioredis|sql|sqlite|postgres|pg|kubernetes|kube|configmap|openai|anthropic|azure|gemini|bedrock|vllm|ollama|groq)\w*/gi;

export function implementationWordsIn(text: string): string[] {
  return [...text.matchAll(implementationWords)].map(match => match[0]);
}
