// Speech and transcripts on OpenAI's wire: bytes that follow from the text, and a text that follows from the bytes (`openai` 7.57,
// resources/audio). A file of audio has 32,000 bytes a second here, as PCM of 16 kHz has.
import { digestOf } from '../answer.ts';
import { anything, number, object, oneOf, text } from '../shape.ts';
import { countTokens } from '../tokens.ts';
import { openaiError, openaiProblem } from '../wires/openai-errors.ts';
import { type ApiCall, type ApiReply, done, missing } from './call.ts';

const types = { mp3: 'audio/mpeg', opus: 'audio/opus', aac: 'audio/aac', flac: 'audio/flac', wav: 'audio/wav', pcm: 'audio/pcm' };
const request = object(
  { model: text({ min: 1 }), input: text({ min: 1, max: 4096 }), voice: anything },
  {
    instructions: text(),
    response_format: oneOf(...Object.keys(types)),
    speed: number(0.25, 4),
    stream_format: oneOf('sse', 'audio'),
  },
);

const BYTES_PER_CHARACTER = 320;
const PIECES = 4;

export function speech({ body: { fields } }: ApiCall): ApiReply {
  const problem = request(fields);
  if (problem) return openaiProblem(problem);
  const { input, model, response_format: format = 'mp3', stream_format: manner } = fields;
  const pieces = Array.from({ length: PIECES }, (_, i) => soundOf(input, i));
  if (manner !== 'sse') return { status: 200, type: types[format as keyof typeof types], pieces };
  if (/^tts-1/.test(model)) return openaiError(400, `The model '${model}' does not support 'sse'.`, { param: 'stream_format' });
  const [input_tokens, output_tokens] = [countTokens(input), [...input].length * 2];
  const usage = { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens };
  const events = [
    ...pieces.map(piece => ({ type: 'speech.audio.delta', audio: piece.toString('base64') })),
    { type: 'speech.audio.done', usage },
  ];
  return { status: 200, type: 'text/event-stream', pieces: events.map(event => `data: ${JSON.stringify(event)}\n\n`) };
}

function soundOf(input: string, piece: number): Buffer {
  const length = Math.ceil(([...input].length * BYTES_PER_CHARACTER) / PIECES);
  return Buffer.alloc(length, Buffer.from(digestOf(input, String(piece)), 'hex'));
}

const BYTES_PER_SECOND = 32_000;

export const transcription = (call: ApiCall): ApiReply => heard(call, 'transcribe');
export const translation = (call: ApiCall): ApiReply => heard(call, 'translate');

const known = new Set([
  'model', 'language', 'prompt', 'response_format', 'temperature', 'stream', 'timestamp_granularities', 'include', 'chunking_strategy',
]); // biome-ignore format: names

function heard({ body: { fields, files } }: ApiCall, task: 'transcribe' | 'translate'): ApiReply {
  const [audio] = files;
  if (!fields.model) return missing('model');
  if (audio?.field !== 'file' || files.length !== 1) return missing('file');
  const odd = Object.keys(fields).find(name => !known.has(name));
  if (odd) return openaiError(400, `Unrecognized request argument supplied: ${odd}`);
  const { model, response_format: format = 'json', stream } = fields;
  const isGpt = /^gpt-/.test(model);
  if (isGpt && !['json', 'text'].includes(format))
    return openaiError(400, `response_format '${format}' is not compatible with model '${model}'.`, { param: 'response_format' });
  const seconds = audio.file.bytes.length / BYTES_PER_SECOND;
  const said = `${task === 'translate' ? 'In English' : 'Heard'}: ${digestOf(audio.file.bytes.toString('latin1')).slice(0, 12)}`;
  const usage = isGpt ? tokenUsage(seconds, said) : { type: 'duration', seconds: Math.ceil(seconds) };
  if (stream === 'true' && isGpt) return streamed(said, usage);
  switch (format) {
    case 'text':
      return { status: 200, type: 'text/plain; charset=utf-8', pieces: [`${said}\n`] };
    case 'srt':
      return { status: 200, type: 'text/plain; charset=utf-8', pieces: [`1\n00:00:00,000 --> 00:00:01,000\n${said}\n\n`] };
    case 'vtt':
      return { status: 200, type: 'text/vtt; charset=utf-8', pieces: [`WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n${said}\n\n`] };
    case 'verbose_json':
      return done({ task, language: 'english', duration: seconds, text: said, segments: [], usage });
    default:
      return done({ text: said, usage });
  }
}

function tokenUsage(seconds: number, said: string) {
  const audio_tokens = Math.ceil(seconds * 10);
  const output_tokens = countTokens(said);
  return {
    type: 'tokens',
    input_tokens: audio_tokens,
    input_token_details: { text_tokens: 0, audio_tokens },
    output_tokens,
    total_tokens: audio_tokens + output_tokens,
  };
}

function streamed(said: string, usage: unknown): ApiReply {
  const events = [
    ...said.split(/(?= )/).map(delta => ({ type: 'transcript.text.delta', delta })),
    { type: 'transcript.text.done', text: said, usage },
  ];
  const pieces = events.map(event => `data: ${JSON.stringify(event)}\n\n`);
  return { status: 200, type: 'text/event-stream; charset=utf-8', pieces: [...pieces, 'data: [DONE]\n\n'] };
}
