// A conversation as wires take it whose turns alternate between two roles.

export type Turn<Block> = { readonly role: 'user' | 'assistant'; readonly content: readonly Block[] };

/** Goes on with the last turn where that is of the same role. Without content it is no turn. */
export function appendTurn<Block>(turns: Turn<Block>[], role: Turn<Block>['role'], content: readonly Block[]): void {
  if (content.length === 0) return;
  const last = turns.at(-1);
  if (last?.role !== role) turns.push({ role, content });
  else turns[turns.length - 1] = { role, content: [...last.content, ...content] };
}
