// SHA-256, hex: how keys are known everywhere.
import { hash } from 'node:crypto';

export const sha256 = (text: string): string => hash('sha256', text);
