// `tollgate crds`: prints the CustomResourceDefinitions, ready for `kubectl apply -f -`.
import { stringify } from 'yaml';
import { crdOf } from '../core/resources/crd.ts';
import { KINDS, type Kind } from '../core/resources/index.ts';

export function crdYaml(kind: Kind): string {
  const header = '# Generated from core/resources by `npm run gen`; do not edit.\n';
  return header + stringify(crdOf(kind), { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}

export type CrdsIo = { readonly out: (text: string) => void; readonly err: (text: string) => void };

export async function crds(args: readonly string[], io: CrdsIo): Promise<number> {
  if (args.length > 0 && !args.includes('--help')) {
    io.err('tollgate crds takes no arguments\n');
    return 2;
  }
  io.out(args.includes('--help') ? help : KINDS.map(crdYaml).join('---\n'));
  return 0;
}

const help = `Usage: tollgate crds

Prints the CustomResourceDefinitions: tollgate crds | kubectl apply --server-side -f -
`;
