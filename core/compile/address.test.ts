import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type AddressRules, addressRules, isCidr, isForbiddenAddress, urlComplaint } from './address.ts';

const cluster = { standalone: false, allowHttpUpstreams: false, allowUpstreamCidrs: [] };
const standalone = { ...cluster, standalone: true };
const rules: Readonly<Record<string, AddressRules>> = {
  'a hosted type in a cluster': addressRules(cluster, 'OpenAI'),
  'an engine in a cluster': addressRules(cluster, 'VLLM'),
  'a hosted type without a cluster': addressRules(standalone, 'Anthropic'),
};

const metadata = [
  '169.254.169.254',
  '169.254.0.1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '::169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'fd00:ec2::254',
  '100.100.100.200',
  '168.63.129.16',
  '224.0.0.1',
  '255.255.255.255',
  'ff02::1',
];

describe('an address', () => {
  for (const [who, which] of Object.entries(rules)) {
    test(`that is link-local, of a metadata service or of no single host is refused to ${who}`, () => {
      for (const address of metadata) assert.equal(isForbiddenAddress(address, which), true, address);
    });
    test(`that is public is allowed to ${who}`, () => {
      for (const address of ['8.8.8.8', '104.18.7.192', '2606:4700::6812:7c0', '::ffff:8.8.8.8', '169.253.0.1', '172.32.0.1'])
        assert.equal(isForbiddenAddress(address, which), false, address);
    });
    test(`that is none is refused to ${who}`, () => {
      for (const address of [
        '',
        'localhost',
        '1.2.3',
        '1.2.3.256',
        '01.2.3.4',
        '1::2::3',
        ':::',
        '12345::',
        '::1.2.3',
        '1:2:3:4:5:6:7:8:9',
      ])
        assert.equal(isForbiddenAddress(address, which), true, address);
    });
  }

  test('that is private is for engines in a cluster, and for everything without one', () => {
    for (const address of ['10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd12::1', '::ffff:10.0.0.1']) {
      const verdicts = Object.values(rules).map(which => isForbiddenAddress(address, which));
      assert.deepEqual(verdicts, [true, false, false], address);
    }
  });

  test('of the machine itself is for where there is no cluster', () => {
    for (const address of ['127.0.0.1', '127.8.8.8', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1']) {
      const verdicts = Object.values(rules).map(which => isForbiddenAddress(address, which));
      assert.deepEqual(verdicts, [true, true, false], address);
    }
  });

  test('that is listed is allowed whatever it is, and only in its block', () => {
    const listed = {
      ...addressRules(cluster, 'OpenAI'),
      allowUpstreamCidrs: ['169.254.169.0/24', 'fe80::/64', '127.0.0.1', 'nonsense'],
    };
    for (const address of ['169.254.169.254', '::ffff:169.254.169.1', 'fe80::1', '127.0.0.1'])
      assert.equal(isForbiddenAddress(address, listed), false);
    for (const address of ['169.254.170.1', 'fe80:0:0:1::1', '127.0.0.2'])
      assert.equal(isForbiddenAddress(address, listed), true);
  });

  test('of any four bytes is judged alike in its dotted and its mapped form', () => {
    fc.assert(
      fc.property(fc.ipV4(), address => {
        for (const which of Object.values(rules))
          assert.equal(isForbiddenAddress(address, which), isForbiddenAddress(`::ffff:${address}`, which));
      }),
    );
  });
});

test('a URL is judged by the address it means, however that is written', () => {
  for (const host of [
    '2852039166',
    '0251.0376.0251.0376',
    '0xa9.0xfe.0xa9.0xfe',
    '0xa9fea9fe',
    '169.254.43518',
    '169.254.169.254.',
    '[::ffff:a9fe:a9fe]',
  ])
    assert.match(urlComplaint(`http://${host}/v1`, standalone, 'OpenAICompatible') ?? '', /is not allowed/, host);
});

test('localhost is loopback before anyone resolves it, and other names wait for their resolution', () => {
  for (const name of ['localhost', 'api.localhost', 'LOCALHOST.'])
    assert.match(urlComplaint(`http://${name}:1/v1`, cluster, 'VLLM') ?? '', /not allowed/);
  for (const name of ['vllm.llm.svc', 'notlocalhost', '1.2.3.4.example'])
    assert.equal(urlComplaint(`http://${name}/v1`, cluster, 'VLLM'), undefined);
});

test('a block is an address with a length that fits it', () => {
  for (const block of ['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd00::/8', '1.2.3.4', '::1']) assert.equal(isCidr(block), true, block);
  for (const block of ['10.0.0.0/33', '::/129', 'x/8', '10.0.0/8', '10.0.0.0/', '10.0.0.0/-1', ''])
    assert.equal(isCidr(block), false, block);
});
