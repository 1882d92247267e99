// The paths of this dialect, in which the model and whether to stream stand: `/model/us.amazon.nova-pro-v1%3A0/converse-stream`.
export type Asked = { readonly model: string; readonly stream: boolean };

const PATH = /^\/model\/([^/]+)\/(converse|converse-stream)$/;

/** undefined: it is another path. */
export function askedOf(path: string): Asked | undefined {
  const match = PATH.exec(path);
  if (!match) return undefined;
  try {
    return { model: decodeURIComponent(match[1]!), stream: match[2] === 'converse-stream' };
  } catch {
    return undefined;
  }
}
