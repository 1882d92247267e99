import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { awsSignature } from './aws-signature.ts';

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const at = new Date('2015-08-30T12:36:00Z');

const signed = (fields: Partial<Parameters<typeof awsSignature>[0]>, session?: string) =>
  awsSignature(
    { method: 'POST', origin: 'https://bedrock-runtime.us-east-1.amazonaws.com', path: '/', headers: {}, body: null, ...fields },
    { keys: { ...keys, ...(session && { sessionToken: session }) }, region: 'us-east-1', service: 'bedrock', at },
  );

describe('a signature', () => {
  test('is what AWS says it is for its example request', async () => {
    // "get-vanilla" of AWS's test suite for Signature Version 4.
    const headers = await awsSignature(
      { method: 'GET', origin: 'https://example.amazonaws.com', path: '/', headers: {}, body: null },
      { keys, region: 'us-east-1', service: 'service', at },
    );
    assert.deepEqual(headers, {
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
  });

  test('covers path, body and content type, and nothing that a proxy or a trace may add', async () => {
    const plain = { path: '/model/m%3A0/converse', headers: { 'content-type': 'application/json' }, body: '{}' };
    const { authorization } = await signed(plain);
    assert.equal((await signed({ ...plain, headers: { ...plain.headers, traceparent: '00-1' } })).authorization, authorization);
    for (const change of [{ path: '/model/m:0/converse' }, { body: '{ }' }, { headers: { 'content-type': 'text/plain' } }])
      assert.notEqual((await signed({ ...plain, ...change })).authorization, authorization);
    assert.equal((await signed({ ...plain, body: Buffer.from('{}') })).authorization, authorization);
  });

  test('of keys that are lent names their token', async () => {
    const headers = await signed({}, 'a-session');
    assert.equal(headers['x-amz-security-token'], 'a-session');
    assert.match(headers.authorization!, /SignedHeaders=[a-z0-9;-]*x-amz-security-token/);
  });
});
