// Who this process is to AWS and to Google Cloud, by what its surroundings say: environment, files, a pod's own identity (IRSA, EKS Pod Identity,
// GKE workload identity, workload identity federation), the metadata server. The libraries of the clouds look; they are loaded when somebody
// asks first. What they found is kept until shortly before it ends.
import { Lent, type Loan } from './lent.ts';

type AwsKeys = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };

/** A server of tokens that is alive answers in a moment. */
const PATIENCE_MS = 10_000;

export class CloudIdentity {
  readonly #aws = lent(awsKeys);
  readonly #google = lent(googleToken);

  /** Keys to sign with, by AWS's default chain. Rejects where nothing of it leads to keys. */
  aws(): Promise<AwsKeys> {
    return this.#aws.get();
  }

  /** An OAuth access token for all of Google Cloud's APIs, by application default credentials. Rejects where there are none. */
  google(): Promise<string> {
    return this.#google.get();
  }
}

const lent = <T>(ask: () => Promise<Loan<T>>): Lent<T> => new Lent({ ask, patience: PATIENCE_MS, now: Date.now });

/** A chain of its own each time: one that waits for an answer makes all wait who ask it. */
async function awsKeys(): Promise<Loan<AwsKeys>> {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  const keys = await defaultProvider()();
  return { value: keys, endsAt: keys.expiration?.getTime() };
}

/** Whatever is said here, it is not looked up: with a federated identity that would be a call of an API that may be switched off, and a token needs no project. */
const NO_PROJECT = '-';
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

async function googleToken(): Promise<Loan<string>> {
  const { GoogleAuth } = await import('google-auth-library');
  const client = await new GoogleAuth({ scopes: [CLOUD_PLATFORM], projectId: NO_PROJECT }).getClient();
  const { token } = await client.getAccessToken();
  if (!token) throw new Error('the application default credentials gave no token');
  return { value: token, endsAt: client.credentials.expiry_date ?? Date.now() };
}
