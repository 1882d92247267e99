// What `helm test` asks: that both roles answer, and that nobody is let in without a key.
const { GATEWAY, OPERATOR, KEY } = process.env;

async function expectStatus(what, url, status, headers = {}) {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  const body = await answer.text();
  console.log(`${what}: ${answer.status}`);
  if (answer.status !== status)
    throw new Error(`${what}: ${url} answered ${answer.status}, not ${status}: ${body.slice(0, 500)}`);
}

await expectStatus('the operator is ready', `${OPERATOR}/readyz`, 200);
await expectStatus('a data plane is ready', `${GATEWAY}/health/readiness`, 200);
await expectStatus('without a key nobody is let in', `${GATEWAY}/v1/models`, 401);
if (KEY) await expectStatus('the key is let in', `${GATEWAY}/v1/models`, 200, { authorization: `Bearer ${KEY}` });
