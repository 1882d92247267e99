// Who the gateway is to AWS: a signature with the keys of its surroundings, unless it was given a Bedrock API key, which is a header.
import { awsSignature } from '#platform/aws-signature.ts';
import type { CloudIdentities, Unsigned } from '../provider.ts';
import type { BedrockTarget } from './target.ts';

export async function authorize(request: Unsigned, target: BedrockTarget, identities: CloudIdentities): Promise<void> {
  if (target.credential !== undefined) return;
  const { region } = target.provider.connection;
  const keys = await identities.aws();
  Object.assign(request.headers, await awsSignature(request, { keys, region, service: 'bedrock', at: new Date() }));
}
