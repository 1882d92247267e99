// Azure's error bodies: its gateway answers with a code that is the status as text, its models as OpenAI does, its filter in its own way.
import { openaiTrouble } from './openai-errors.ts';
import type { Refusal, Trouble } from './wire.ts';

export const azureError = (status: number, message: string, code: string): Refusal => ({
  status,
  body: { error: { code, message } },
});

export const azureTrouble = (trouble: Trouble, model: string): Refusal =>
  (table[trouble] ?? openaiTrouble.bind(null, trouble))(model);

const table: Partial<Record<Trouble, (model: string) => Refusal>> = {
  authentication: () =>
    azureError(
      401,
      'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
      '401',
    ),
  permission: () => azureError(403, 'Access denied due to Virtual Network/Firewall rules.', '403'),
  'not-found': () =>
    azureError(
      404,
      'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.',
      'DeploymentNotFound',
    ),
  'rate-limit': () => ({
    ...azureError(
      429,
      'Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded token rate limit of your current pricing tier. Please retry after 26 seconds. Please contact Azure support service if you would like to further increase the default rate limit.',
      '429',
    ),
    headers: { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-remaining-tokens': '0', 'x-ms-region': 'Sweden Central' },
  }),
  'server-error': () =>
    azureError(500, 'The server had an error while processing your request. Sorry about that!', 'InternalServerError'),
  unavailable: () =>
    azureError(503, 'The service is temporarily unable to process your request. Please try again later.', 'ServiceUnavailable'),
  'content-filter': () => ({
    status: 400,
    body: {
      error: {
        message:
          "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        type: null,
        param: 'prompt',
        code: 'content_filter',
        status: 400,
        innererror: {
          code: 'ResponsibleAIPolicyViolation',
          content_filter_result: {
            hate: { filtered: true, severity: 'high' },
            jailbreak: { filtered: false, detected: false },
            self_harm: { filtered: false, severity: 'safe' },
            sexual: { filtered: false, severity: 'safe' },
            violence: { filtered: false, severity: 'safe' },
          },
        },
      },
    },
  }),
};
