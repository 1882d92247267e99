// What answers of Anthropic's wire tell of what their provider keeps: the container in which its tools ran, and the files that they wrote there
// (SDK 1.12, resources/beta/messages: `container`, `bash_code_execution_output`).
import { isRecord } from '#core/json/record.ts';
import type { KeptKey, Telling } from '../provider.ts';
import { recordOf, textOf } from '../wire.ts';

export const telling: Telling = {
  mark: /"container"|"file_id"/,
  keysIn(reply) {
    const told = recordOf(reply);
    // Whole, or as a stream begins (`message`), goes on (`content_block`) and ends (`delta`).
    return [told, told.message, told.delta].flatMap(containerIn).concat(filesIn(told));
  },
};

function containerIn(told: unknown): KeptKey[] {
  const id = textOf(recordOf(recordOf(told).container).id);
  return id === '' ? [] : [{ kind: 'container', id }];
}

/** Of blocks of results alone: a model may write anything into the arguments of a tool. */
function filesIn({ content, content_block: block }: Readonly<Record<string, unknown>>): KeptKey[] {
  const blocks = Array.isArray(content) ? content : [block];
  return blocks.filter(isRecord).flatMap(({ type, content: result }) => {
    const outputs = recordOf(result).content;
    if (!textOf(type).endsWith('_tool_result') || !Array.isArray(outputs)) return [];
    return outputs
      .filter(isRecord)
      .flatMap(({ file_id }): KeptKey[] => (textOf(file_id) === '' ? [] : [{ kind: 'file', id: textOf(file_id) }]));
  });
}
