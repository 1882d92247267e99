// The rest of OpenAI's API: which path is answered by what. Azure has the same below `/openai/v1`.

import { speech, transcription, translation } from './audio.ts';
import type { ApiCall, ApiReply } from './call.ts';
import { imageEdit, imageGeneration, imageVariation } from './images.ts';
import { compact, inputTokens } from './input.ts';
import { Things } from './things.ts';

export { type ApiBody, type ApiReply, isFlowing, readApiBody } from './call.ts';

type Answer = (call: ApiCall) => ApiReply;

export class Api {
  readonly #routes: readonly (readonly [method: string, path: RegExp, answer: Answer])[];

  constructor(things = new Things()) {
    const route = (text: string, answer: Answer) => {
      const [method = '', path = ''] = text.split(' ');
      return [method, new RegExp(`^(?:/openai)?/v1${path.replaceAll('*', '([^/]+)')}$`), answer] as const;
    };
    this.#routes = [
      route('POST /responses/compact', compact),
      route('POST /responses/input_tokens', inputTokens),
      route('POST /images/generations', imageGeneration),
      route('POST /images/edits', imageEdit),
      route('POST /images/variations', imageVariation),
      route('POST /audio/speech', speech),
      route('POST /audio/transcriptions', transcription),
      route('POST /audio/translations', translation),
      route('POST /files', things.createFile),
      route('GET /files', things.list('file')),
      route('GET /files/*', things.get),
      route('GET /files/*/content', things.fileContent),
      route('DELETE /files/*', things.delete),
      route('POST /uploads', things.createUpload),
      route('POST /uploads/*/parts', things.addPart),
      route('POST /uploads/*/complete', things.completeUpload),
      route('POST /uploads/*/cancel', things.cancel),
      route('POST /batches', things.createBatch),
      route('GET /batches', things.list('batch')),
      route('GET /batches/*', things.batch),
      route('POST /batches/*/cancel', things.cancelBatch),
      route('POST /fine_tuning/jobs', things.createJob),
      route('GET /fine_tuning/jobs', things.list('fine_tuning.job')),
      route('GET /fine_tuning/jobs/*', things.get),
      route('POST /fine_tuning/jobs/*/cancel', things.cancel),
      route('POST /vector_stores', things.createStore),
      route('GET /vector_stores', things.list('vector_store')),
      route('GET /vector_stores/*', things.get),
      route('DELETE /vector_stores/*', things.delete),
      route('POST /vector_stores/*/files', things.addToStore),
      route('POST /vector_stores/*/search', things.searchStore),
      route('POST /containers', things.createContainer),
      route('GET /containers', things.list('container')),
      route('GET /containers/*', things.get),
      route('DELETE /containers/*', things.delete),
      route('POST /conversations', things.createConversation),
      route('GET /conversations/*', things.get),
      route('DELETE /conversations/*', things.delete),
    ];
  }

  /** Undefined: it has nothing there. */
  at(method: string, path: string): { readonly ids: readonly string[]; readonly answer: Answer } | undefined {
    for (const [wanted, pattern, answer] of this.#routes) {
      const match = wanted === method ? pattern.exec(path) : null;
      if (match) return { ids: match.slice(1).map(decodeURIComponent), answer };
    }
    return undefined;
  }
}
