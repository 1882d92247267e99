// Tools that Google runs and bills besides the tokens: what a request asks of them, and what an answer shows (ai.google.dev, "Grounding with
// Google Search" and "Pricing", November 2026; cloud.google.com, "Vertex AI pricing").
import type { ToolAsked, ToolsAsked } from '#core/chat/tools-asked.ts';
import type { BilledTool } from '#core/chat/usage.ts';
import type { JsonRecord } from '#core/json/record.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { entriesOf } from '../listed-tools.ts';
import type { RequestFields } from '../provider.ts';
import { entryOf, recordOf, recordsOf, textOf } from '../wire.ts';

/** `undefined`: the client runs it, or it is billed in tokens alone. */
const BILLED: Readonly<Record<string, BilledTool | undefined>> = {
  googleSearch: 'webSearch',
  googleSearchRetrieval: 'webSearch',
  enterpriseWebSearch: 'webSearch',
  parallelAiSearch: 'webSearch',
  exaAiSearch: 'webSearch',
  googleMaps: 'mapsSearch',
  retrieval: 'fileSearch',
  functionDeclarations: undefined,
  codeExecution: undefined,
  computerUse: undefined,
  urlContext: undefined,
  fileSearch: undefined,
  mcpServers: undefined,
};

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Until Gemini 3, a prompt is billed once that was searched for, however often; from then on each search. */
const paysByPrompt = (model: string): boolean => /gemini-(?:1|2)\b/.test(model);

export function toolsAsked(body: RequestFields, { upstreamName }: Pick<ModelEntry, 'upstreamName'>): ToolsAsked | undefined {
  const isOnce = paysByPrompt(upstreamName);
  const tools = entriesOf(body.get('tools'), 'tools').flatMap(({ tool, param }) =>
    Object.keys(tool).flatMap((field): ToolAsked[] => {
      const name = camel(field);
      const billed = Object.hasOwn(BILLED, name) ? BILLED[name] : 'other';
      if (billed === undefined) return [];
      const most = isOnce || billed === 'fileSearch' ? { most: 1 } : {};
      return [{ tool: billed, param: `${param}.${field}`, ...most }];
    }),
  );
  return tools.length > 0 ? { tools } : undefined;
}

const SOURCES: Readonly<Record<string, BilledTool>> = { web: 'webSearch', maps: 'mapsSearch', retrievedContext: 'fileSearch' };

/** What the candidates of one answer show of such tools; frames of a stream may repeat what those before them had. */
export class ShownTools {
  readonly #queries = new Set<string>();
  readonly #sources = new Set<BilledTool>();
  #paysByPrompt = false;

  note(answer: JsonRecord): void {
    this.#paysByPrompt ||= paysByPrompt(textOf(answer.modelVersion));
    for (const { groundingMetadata, index } of recordsOf(answer.candidates)) {
      const { webSearchQueries, groundingChunks } = recordOf(groundingMetadata);
      // A query without a word is not billed.
      if (Array.isArray(webSearchQueries))
        for (const query of webSearchQueries) if (query) this.#queries.add(`${index ?? 0} ${query}`);
      for (const chunk of recordsOf(groundingChunks))
        for (const source of Object.keys(chunk)) {
          const tool = entryOf(SOURCES, source);
          if (tool) this.#sources.add(tool);
        }
    }
  }

  calls(): readonly (readonly [BilledTool, number])[] {
    const searches = this.#paysByPrompt ? Math.min(1, this.#queries.size) : this.#queries.size;
    const isOf = (tool: BilledTool) => this.#sources.has(tool);
    // What is answered from maps has queries too; where both were asked, nothing tells them apart.
    return [
      ['webSearch', isOf('mapsSearch') && !isOf('webSearch') ? 0 : searches],
      ['mapsSearch', isOf('mapsSearch') ? Math.max(1, searches) : 0],
      ['fileSearch', isOf('fileSearch') ? 1 : 0],
    ];
  }
}
