// Who this process is to AWS and to Google Cloud, by what its surroundings say: environment, files, a pod's own identity (IRSA, EKS Pod Identity,
// GKE workload identity, workload identity federation), the metadata server. The libraries of the clouds look, and keep what they found until
// shortly before it ends; they are loaded when somebody asks first.

import type { defaultProvider } from '@aws-sdk/credential-provider-node';

export class CloudIdentity {
  #aws: Promise<ReturnType<typeof defaultProvider>> | undefined;
  #google: Promise<() => Promise<string>> | undefined;

  /** Keys to sign with, by AWS's default chain. Rejects where nothing of it leads to keys. */
  async aws() {
    this.#aws ??= import('@aws-sdk/credential-provider-node').then(aws => aws.defaultProvider());
    return (await this.#aws)();
  }

  /** An OAuth access token for all of Google Cloud's APIs, by application default credentials. Rejects where there are none. */
  async google(): Promise<string> {
    this.#google ??= import('google-auth-library').then(({ GoogleAuth }) =>
      tokensOf(new GoogleAuth({ scopes: [CLOUD_PLATFORM], projectId: NO_PROJECT })),
    );
    return (await this.#google)();
  }
}

/** Whatever is said here, it is not looked up: with a federated identity that would be a call of an API that may be switched off, and a token needs no project. */
const NO_PROJECT = '-';
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

const tokensOf = (auth: { getAccessToken(): Promise<string | null | undefined> }) => async (): Promise<string> => {
  const token = await auth.getAccessToken();
  if (!token) throw new Error('the application default credentials gave no token');
  return token;
};
