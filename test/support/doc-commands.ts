// The commands of a page of documentation, and whether they are run: each block of them has a mark above it, a comment that no reader sees.
//   <!-- run -->                                        in the page's shell, in order; each command must succeed
//   <!-- run, prints /REGEX/ -->                        and what the block prints must match
//   <!-- run, fails, prints /REGEX/ -->                 its one command must fail
//   <!-- run in background until http://... -->         a server: goes on until the page ends, or another one is started for that address
//   <!-- run in a cluster, prints /REGEX/ -->           with kubectl, helm and an installation (test/cluster/docs.test.ts)
//   <!-- run in a cluster, as a dry run -->             and Helm asks the API server only
//   <!-- not run: REASON -->
//   <!-- file PATH -->                                  above any block: its text is this file
// CONTRIBUTING.md tells writers.

/** Pages with commands for a cluster, in the order in which they are read: the first one installs what the others speak of. */
export const CLUSTER_PAGES = ['docs/install.md', 'docs/kubernetes.md', 'docs/operations.md', 'docs/security.md'] as const;

/** Without or with a cluster. */
export type Where = 'here' | 'cluster';

export type Marked =
  | {
      readonly kind: 'run';
      readonly line: number;
      readonly text: string;
      readonly fails: boolean;
      readonly prints: string | undefined;
      readonly where: Where;
      /** What Helm is asked changes nothing. */
      readonly dry: boolean;
    }
  | { readonly kind: 'serve'; readonly line: number; readonly text: string; readonly until: string }
  | { readonly kind: 'file'; readonly line: number; readonly text: string; readonly path: string };

export type Page = {
  /** What is run and written, in the order of the page. */
  readonly blocks: readonly Marked[];
  /** Blocks of commands without a mark that can be read, as `LINE: why`. */
  readonly complaints: readonly string[];
};

const SHELL = ['sh', 'bash', 'shell', 'console'];

/** A block that is only indented, and would be one of commands. */
const COMMAND =
  /^(\$ )?([A-Z_]+=\S+ )*(apt-get|cat|cp|curl|docker|export|git|helm|kind|kubectl|node|npm|npx|openssl|prometheus|promtool|psql|redis-cli|sqlite3|tollgate)\b/;

export function pageOf(markdown: string): Page {
  const blocks: Marked[] = [];
  const complaints: string[] = [];
  const lines = markdown.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(`{3,})(\w*)\s*$/.exec(lines[at]!);
    if (!fence) {
      const isIndented = /^ {4}\S/.test(lines[at]!) && (lines[at - 1] ?? '').trim() === '';
      if (isIndented && COMMAND.test(lines[at]!.trim()))
        complaints.push(`${at + 1}: commands stand in a fence (\`\`\`sh) with a mark above it`);
      continue;
    }
    const end = lines.indexOf(fence[1]!, at + 1);
    const text = lines.slice(at + 1, end).join('\n');
    const read = marked(lines[at - 1]?.trim() ?? '', at + 1, text, SHELL.includes(fence[2]!));
    if (typeof read === 'string') complaints.push(`${at + 1}: ${read}`);
    else if (read) blocks.push(read);
    at = end;
  }
  return { blocks, complaints };
}

/** A block to run or to write, a complaint, or nothing where nothing is to be done. */
function marked(above: string, line: number, text: string, isShell: boolean): Marked | string | undefined {
  const mark = /^<!-- (.*) -->$/.exec(above)?.[1];
  const file = /^file (\S+)$/.exec(mark ?? '')?.[1];
  if (file !== undefined) return { kind: 'file', line, text, path: file };
  if (!isShell) return undefined;
  if (mark === undefined) return 'commands without a mark: <!-- run -->, or <!-- not run: REASON -->';
  if (/^not run: \S.{8,}/.test(mark)) return undefined;
  const until = /^run in background until (https?:\/\/\S+)$/.exec(mark)?.[1];
  if (until !== undefined) return { kind: 'serve', line, text, until };
  const run = /^run( in a cluster)?(, as a dry run)?(, fails)?(?:, prints \/(.+)\/)?$/.exec(mark);
  if (!run) return `a mark that cannot be read: ${mark}`;
  const [, cluster, dry, fails, prints] = run;
  return {
    kind: 'run',
    line,
    text,
    fails: fails !== undefined,
    prints,
    where: cluster === undefined ? 'here' : 'cluster',
    dry: dry !== undefined,
  };
}

const isAt = (block: Marked, where: Where): boolean =>
  block.kind === 'file' || (block.kind === 'run' ? block.where === where : where === 'here');

/** Whether a page has anything to run there. */
export const hasCommands = ({ blocks }: Page, where: Where): boolean =>
  blocks.some(block => block.kind !== 'file' && isAt(block, where));

/**
 * One script for bash that does what the page says. Exports and folders last from block to block, as in a reader's terminal.
 * @param name of the page, for what is said of a failure
 */
export function scriptOf(name: string, { blocks }: Page, where: Where = 'here'): string {
  const chosen = blocks.filter(block => isAt(block, where));
  return [PRELUDE, ...chosen.map(block => steps[block.kind](`${name}:${block.line}`, block as never))].join('\n');
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const steps = {
  run: (place: string, { text, fails, prints, dry }: Extract<Marked, { kind: 'run' }>) =>
    [
      `begin ${place}`,
      ...(dry ? ['helm() { command helm "$@" --dry-run=server; }'] : []),
      fails ? `if { ${text}\n} > "$output" 2>&1; then echo 'does not fail' >&3; false; fi` : `{\n${text}\n} > "$output" 2>&1`,
      ...(prints === undefined ? [] : [`prints ${quoted(prints)}`]),
      ...(dry ? ['unset -f helm'] : []),
    ].join('\n'),
  serve: (place: string, { text, until }: Extract<Marked, { kind: 'serve' }>) =>
    [
      `begin ${place}`,
      `end_server ${quoted(until)}`,
      `{\n${text}\n} > "$output.server" 2>&1 &`,
      `await_server ${quoted(until)}`,
    ].join('\n'),
  file: (place: string, { text, path }: Extract<Marked, { kind: 'file' }>) =>
    [`begin ${place}`, `mkdir -p "$(dirname ${quoted(path)})"`, `printf '%s\\n' ${quoted(text)} > ${quoted(path)}`].join('\n'),
};

const PRELUDE = `
set -euo pipefail
set -m # each server is a process group of its own
exec 3>&1
declare -A servers
output=$(mktemp -d)/output
place=
begin() { place=$1; : > "$output"; }
told() { status=$?; if ((status)); then echo "$place failed ($status)"; tail -n 40 "$output" "$output.server" 2>/dev/null; fi >&3; }
trap told EXIT
prints() { grep -Eq -- "$1" "$output" || { echo "does not print $1" >&3; false; }; }
answers() { curl --silent --output /dev/null --max-time 5 "$1"; }
end_server() {
  local running=\${servers[$1]:-}
  if [ -z "$running" ]; then return; fi
  kill -- "-$running" 2>/dev/null || true
  while answers "$1"; do sleep 0.1; done
}
await_server() {
  servers[$1]=$!
  for _ in $(seq 1200); do
    if answers "$1"; then return; fi
    kill -0 "\${servers[$1]}"
    sleep 0.1
  done
  echo "does not answer: $1" >&3
  false
}
`;
