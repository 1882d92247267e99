// What a chat completions body asks a server to run by itself and bills by the call. The wire has few words for it, and each server its own.
import type { ToolAsked, ToolsAsked } from '#core/chat/tools-asked.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import { entriesOf, listedTools, toolNamed } from '../listed-tools.ts';
import type { RequestFields } from '../provider.ts';
import { countOf, recordOf, textOf } from '../wire.ts';
import { outputAsked } from './output.ts';

/** OpenAI's models that look for every answer, once (its page "Pricing"), whatever the request says. */
const SEARCHING = /-search-(?:preview|api)/;
/** OpenRouter's page "Web Search": the same as its plugin. */
const ONLINE = /:online$/;
/** Perplexity's that look as often as they like, and tell how often (`num_search_queries`). */
const RESEARCHING = /sonar-deep-research/;
/** Models of all kinds that search although the request does not ask for it. */
const UNASKED = /-search-(?:preview|api)|:online$|sonar-deep-research/;
const FIELDS = ['tools', 'web_search_options', 'plugins', 'search_parameters'] as const;

/** Results that OpenRouter's plugin brings, and sources that xAI's search reads, where the request does not say. */
const RESULTS = { openRouter: 5, xai: 15 } as const;

export function toolsAsked(body: RequestFields, { upstreamName }: Pick<ModelEntry, 'upstreamName'>): ToolsAsked | undefined {
  if (!FIELDS.some(name => body.has(name)) && !UNASKED.test(upstreamName)) return undefined;
  const tools = [...listed(body), ...searchOptions(body, upstreamName), ...plugins(body, upstreamName), ...xaiSearch(body)];
  return tools.length > 0 ? { tools } : undefined;
}

/** Tools of a server's own, such as Groq's and z.ai's: answers of this wire do not count them. */
const listed = (body: RequestFields): readonly ToolAsked[] =>
  listedTools(body)
    .filter(({ tool }) => !['', 'function', 'custom'].includes(textOf(tool.type)))
    .map(({ tool, param }) => ({ tool: toolNamed(textOf(tool.type)), param, isUntold: true }));

function searchOptions(body: RequestFields, model: string): readonly ToolAsked[] {
  if (RESEARCHING.test(model)) return [{ tool: 'webSearch', param: 'model' }];
  const param = body.has('web_search_options') ? 'web_search_options' : 'model';
  if (param === 'model' && !SEARCHING.test(model)) return [];
  return [{ tool: 'webSearch', param, most: outputAsked(body).choices, isUntold: true }];
}

function plugins(body: RequestFields, model: string): readonly ToolAsked[] {
  const all: readonly ToolAsked[] = body.has('plugins')
    ? entriesOf(body.get('plugins'), 'plugins').map(({ tool: { id, max_results: most }, param }) =>
        id === 'web'
          ? { tool: 'webSearch', param, most: countOf(most) || RESULTS.openRouter, isUntold: true }
          : { tool: 'other', param, isUntold: true },
      )
    : [];
  const isOnline = ONLINE.test(model) && !all.some(({ tool }) => tool === 'webSearch');
  return isOnline ? [...all, { tool: 'webSearch', param: 'model', most: RESULTS.openRouter, isUntold: true }] : all;
}

/** xAI bills each source that was read, as a search. */
function xaiSearch(body: RequestFields): readonly ToolAsked[] {
  if (!body.has('search_parameters')) return [];
  const { mode, max_search_results: most } = recordOf(body.get('search_parameters'));
  return mode === 'off' ? [] : [{ tool: 'webSearch', param: 'search_parameters', most: countOf(most) || RESULTS.xai }];
}
