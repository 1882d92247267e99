// The paths of this dialect, in which the model and what is asked of it stand: `/v1beta/models/gemini-3.8-flash:generateContent`, and
// Vertex's, whose project and location mean nothing here.
export type Method = 'generateContent' | 'streamGenerateContent' | 'countTokens';

export type PathAsked = { readonly model: string; readonly method: Method };

const PATH =
  /^\/v1(?:beta1?|alpha)?\/(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\/(.+):(generateContent|streamGenerateContent|countTokens)$/;

/** undefined: it is another path. */
export function askedOf(path: string): PathAsked | undefined {
  const match = PATH.exec(path);
  if (!match) return undefined;
  try {
    return { model: decodeURIComponent(match[1]!), method: match[2] as Method };
  } catch {
    return undefined;
  }
}
