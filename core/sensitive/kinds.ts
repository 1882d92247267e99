// The kinds of sensitive data that are looked for, and what each is called: in a route, in a placeholder, to a person.
import { apiKey, webToken } from './api-key.ts';
import { email, ipAddress, phone } from './contact.ts';
import type { Detector } from './matcher.ts';
import { bankAccount, creditCard } from './payment.ts';
import { privateKey } from './private-key.ts';

/** In the order in which they are asked at one place. */
export const SENSITIVE_KINDS = ['PrivateKey', 'APIKey', 'Email', 'CreditCard', 'IBAN', 'Phone', 'IPAddress'] as const;
export type SensitiveKind = (typeof SENSITIVE_KINDS)[number];

export const kinds: Readonly<
  Record<SensitiveKind, { readonly placeholder: string; readonly words: string; readonly detectors: readonly Detector[] }>
> = {
  PrivateKey: { placeholder: 'PRIVATE_KEY', words: 'a private key', detectors: [privateKey] },
  APIKey: { placeholder: 'API_KEY', words: 'an API key or a token', detectors: [apiKey, webToken] },
  Email: { placeholder: 'EMAIL', words: 'an e-mail address', detectors: [email] },
  CreditCard: { placeholder: 'CREDIT_CARD', words: 'the number of a credit card', detectors: [creditCard] },
  IBAN: { placeholder: 'IBAN', words: 'the number of a bank account', detectors: [bankAccount] },
  Phone: { placeholder: 'PHONE', words: 'a telephone number', detectors: [phone] },
  IPAddress: { placeholder: 'IP_ADDRESS', words: 'an IP address', detectors: [ipAddress] },
};
